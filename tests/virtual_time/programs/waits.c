/* Waits in every way that ends after a time. Prints a line for each: what it was, what came of it, and how many
 * milliseconds passed meanwhile by every clock, rounded to a tenth of a second, or that the clocks do not agree. What
 * stands in waits.out is what it prints on an idle machine, in real time. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000LL

static const clockid_t clocks[] = {CLOCK_MONOTONIC,        CLOCK_REALTIME,  CLOCK_REALTIME_COARSE,
                                   CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME, CLOCK_MONOTONIC_RAW, CLOCK_TAI};
enum { CLOCKS = sizeof clocks / sizeof *clocks, ALL = CLOCKS + 2 };

static long long show(int which) {
    if (which < CLOCKS) {
        struct timespec t;
        clock_gettime(clocks[which], &t);
        return t.tv_sec * SECOND + t.tv_nsec;
    }
    struct timeval v;
    gettimeofday(&v, NULL);
    return which == CLOCKS ? v.tv_sec * SECOND + v.tv_usec * 1000LL : time(NULL) * SECOND;
}

static long long before[ALL];

static void begin(void) {
    for (int i = 0; i < ALL; i++)
        before[i] = show(i);
}

static void end(const char *what, long long result) {
    const char *error = result < 0 ? strerrorname_np(errno) : NULL;
    int agree = 1;
    long long passed = show(0) - before[0];
    for (int i = 1; i < ALL; i++)
        agree &= llabs(show(i) - before[i] - passed) < (i == ALL - 1 ? SECOND : SECOND / 50);
    printf("%s ", what);
    if (error)
        printf("%s", error);
    else
        printf("%lld", result);
    printf(" %lld%s\n", (passed + SECOND / 20) / (SECOND / 10) * 100, agree ? "" : " by one clock only");
    fflush(stdout);
}

#define WAIT(what, call)         \
    do {                         \
        begin();                 \
        end(what, (long)(call)); \
    } while (0)

static struct timespec seconds(double s) { return (struct timespec){(time_t)s, (long)((s - (time_t)s) * 1e9)}; }

static struct timespec later(clockid_t clock, int s) {
    struct timespec t;
    clock_gettime(clock, &t);
    t.tv_sec += s;
    return t;
}

static void note(int signal) { (void)signal; }

static void handle(int signal) { sigaction(signal, &(struct sigaction){.sa_handler = note}, NULL); }

/* A child that does something after a second. */
static pid_t after_a_second(void (*act)(int), int arg) {
    pid_t child = fork();
    if (child == 0) {
        sleep(1);
        act(arg);
        _exit(0);
    }
    return child;
}

static void write_to(int fd) { (void)!write(fd, "x", 1); }
static void signal_parent(int signal) { kill(getppid(), signal); }
static void stop_parent(int s) {
    kill(getppid(), SIGSTOP);
    sleep(s);
    kill(getppid(), SIGCONT);
}
static void reap(void) { while (wait(NULL) > 0) {} }

static int sleep_in_vfork(void) {
    pid_t child = vfork();
    if (child == 0) {
        nanosleep(&(struct timespec){3, 0}, NULL);
        _exit(0);
    }
    return child < 0 ? -1 : 0;
}

static void sleeps(void) {
    struct timespec t = seconds(3), left = {0};
    WAIT("nanosleep", nanosleep(&t, &left));
    WAIT("nanosleep-zero", nanosleep(&left, NULL));
    t = (struct timespec){0, SECOND};
    WAIT("nanosleep-wrong", nanosleep(&t, NULL));
    t = seconds(3);
    for (size_t i = 0; i < 3; i++) {
        clockid_t clock = ((clockid_t[]){CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME})[i];
        struct timespec at = later(clock, 3);
        WAIT("clock_nanosleep", -clock_nanosleep(clock, 0, &t, NULL));
        at.tv_sec += 3;
        WAIT("clock_nanosleep-absolute", -clock_nanosleep(clock, TIMER_ABSTIME, &at, NULL));
        WAIT("clock_nanosleep-past", -clock_nanosleep(clock, TIMER_ABSTIME, &at, NULL));
    }
    WAIT("vfork", sleep_in_vfork());
    reap();
    after_a_second(signal_parent, SIGUSR1);
    WAIT("nanosleep-signal", nanosleep(&t, &left));
    reap();
    printf("nanosleep-left %ld 0\n", left.tv_sec + (left.tv_nsec > SECOND / 2));
    after_a_second(stop_parent, 1);
    WAIT("nanosleep-stopped", nanosleep(&t, NULL));
    reap();
    after_a_second(stop_parent, 7);
    WAIT("nanosleep-stopped-long", nanosleep(&t, NULL));
    reap();
}

static void polls(int fds[2]) {
    struct pollfd p = {.fd = fds[0], .events = POLLIN};
    struct timespec t = seconds(3);
    sigset_t none;
    sigemptyset(&none);
    WAIT("poll", poll(&p, 1, 3000));
    WAIT("poll-zero", poll(&p, 1, 0));
    WAIT("ppoll", ppoll(&p, 1, &t, &none));
    after_a_second(signal_parent, SIGUSR1);
    WAIT("poll-signal", poll(&p, 1, 3000));
    reap();
    after_a_second(stop_parent, 1);
    WAIT("poll-stopped", poll(&p, 1, 3000));
    reap();
    after_a_second(write_to, fds[1]);
    WAIT("poll-ready", poll(&p, 1, 3000));
    WAIT("poll-ready-at-once", poll(&p, 1, 3000));
    reap();
    char byte;
    (void)!read(fds[0], &byte, 1);
}

static void selects(int fds[2]) {
    fd_set set;
    FD_ZERO(&set);
    FD_SET(fds[0], &set);
    struct timeval v = {3, 0};
    WAIT("select", select(fds[0] + 1, &set, NULL, NULL, &v));
    printf("select-set %d 0\nselect-left %ld 0\n", FD_ISSET(fds[0], &set), (long)v.tv_sec);
    FD_SET(fds[0], &set);
    struct timespec t = seconds(3);
    WAIT("pselect", pselect(fds[0] + 1, &set, NULL, NULL, &t, NULL));
    v = (struct timeval){3, 0};
    FD_SET(fds[0], &set);
    after_a_second(write_to, fds[1]);
    WAIT("select-ready", select(fds[0] + 1, &set, NULL, NULL, &v));
    printf("select-set %d 0\nselect-left %ld 0\n", FD_ISSET(fds[0], &set), (long)(v.tv_sec + (v.tv_usec > 500000)));
    reap();
    char byte;
    (void)!read(fds[0], &byte, 1);
}

static void epolls(int fds[2]) {
    int poller = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN}, found;
    epoll_ctl(poller, EPOLL_CTL_ADD, fds[0], &event);
    struct timespec t = seconds(3);
    WAIT("epoll_wait", epoll_wait(poller, &found, 1, 3000));
    WAIT("epoll_pwait", epoll_pwait(poller, &found, 1, 3000, NULL));
    WAIT("epoll_pwait2", syscall(SYS_epoll_pwait2, poller, &found, 1, &t, NULL, 0L));
    after_a_second(write_to, fds[1]);
    WAIT("epoll-ready", epoll_wait(poller, &found, 1, 3000));
    reap();
    char byte;
    (void)!read(fds[0], &byte, 1);
    close(poller);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;

static void *signal_condition(void *unused) {
    sleep(1);
    pthread_mutex_lock(&mutex);
    pthread_cond_signal(&condition);
    pthread_mutex_unlock(&mutex);
    return unused;
}

static void *keep_mutex(void *locked) {
    pthread_mutex_lock(locked);
    sleep(5);
    pthread_mutex_unlock(locked);
    return NULL;
}

static void threads(void) {
    pthread_t other;
    pthread_mutex_lock(&mutex);
    struct timespec at = later(CLOCK_REALTIME, 3);
    WAIT("cond_timedwait", pthread_cond_timedwait(&condition, &mutex, &at));
    at = later(CLOCK_MONOTONIC, 3);
    WAIT("cond_clockwait", pthread_cond_clockwait(&condition, &mutex, CLOCK_MONOTONIC, &at));
    at = later(CLOCK_REALTIME, 3);
    pthread_create(&other, NULL, signal_condition, NULL);
    WAIT("cond_timedwait-signalled", pthread_cond_timedwait(&condition, &mutex, &at));
    pthread_mutex_unlock(&mutex);
    pthread_join(other, NULL);
    for (int inherit = 0; inherit < 2; inherit++) {
        pthread_mutexattr_t kind;
        pthread_mutexattr_init(&kind);
        if (inherit)
            pthread_mutexattr_setprotocol(&kind, PTHREAD_PRIO_INHERIT);
        pthread_mutex_t locked;
        pthread_mutex_init(&locked, &kind);
        pthread_create(&other, NULL, keep_mutex, &locked);
        sleep(1);
        at = later(CLOCK_REALTIME, 3);
        WAIT("mutex_timedlock", pthread_mutex_timedlock(&locked, &at));
        pthread_join(other, NULL);
    }
    sem_t semaphore;
    sem_init(&semaphore, 0, 0);
    at = later(CLOCK_REALTIME, 3);
    WAIT("sem_timedwait", sem_timedwait(&semaphore, &at));
    uint32_t word = 0;
    struct timespec t = seconds(3);
    WAIT("futex", syscall(SYS_futex, &word, FUTEX_WAIT, 0, &t, NULL, 0));
    WAIT("futex-changed", syscall(SYS_futex, &word, FUTEX_WAIT, 1, &t, NULL, 0));
    after_a_second(stop_parent, 1);
    WAIT("futex-stopped", syscall(SYS_futex, &word, FUTEX_WAIT, 0, &t, NULL, 0));
    reap();
    struct { uint64_t value, address; uint32_t flags, unused; } waiter = {0, (uintptr_t)&word, 2, 0};
    at = later(CLOCK_MONOTONIC, 3);
    WAIT("futex_waitv", syscall(449, &waiter, 1, 0, &at, CLOCK_MONOTONIC));
}

static volatile sig_atomic_t alarms;
static void count(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)context;
    alarms += info->si_code == SI_KERNEL;
}

static void alarm_clocks(void) {
    sigaction(SIGALRM, &(struct sigaction){.sa_sigaction = count, .sa_flags = SA_SIGINFO}, NULL);
    alarm(30);
    sleep(2);
    WAIT("alarm-left", alarm(3));
    WAIT("alarm", pause());
    struct itimerval every = {{1, 0}, {2, 0}}, is;
    setitimer(ITIMER_REAL, &every, NULL);
    alarms = 0;
    WAIT("setitimer", pause());
    WAIT("setitimer-again", pause());
    getitimer(ITIMER_REAL, &is);
    printf("getitimer %ld 0\n", (long)(is.it_value.tv_sec + (is.it_value.tv_usec > 500000)));
    setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
    printf("alarms %d 0\n", (int)alarms);
}

static volatile int called;
static void call(union sigval value) { called = value.sival_int; }

static void timers(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, NULL);
    struct timespec t = seconds(3);
    siginfo_t info;
    WAIT("sigtimedwait", sigtimedwait(&set, &info, &t));
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2, .sigev_value.sival_int = 77};
    timer_create(CLOCK_MONOTONIC, &event, &timer);
    struct itimerspec every = {seconds(1), seconds(2)}, is;
    timer_settime(timer, 0, &every, NULL);
    WAIT("timer", sigtimedwait(&set, &info, &every.it_value) - SIGUSR2);
    timer_settime(timer, 0, &every, NULL);
    WAIT("timer", sigwaitinfo(&set, &info) - SIGUSR2);
    printf("timer-told %d 0\n", info.si_code == SI_TIMER ? info.si_value.sival_int : -1);
    WAIT("timer-again", sigwaitinfo(&set, &info) - SIGUSR2);
    timer_gettime(timer, &is);
    printf("timer_gettime %ld 0\n", is.it_value.tv_sec + (is.it_value.tv_nsec > SECOND / 2));
    timer_delete(timer);
    every = (struct itimerspec){{0, 0}, later(CLOCK_REALTIME, 3)};
    timer_create(CLOCK_REALTIME, &event, &timer);
    timer_settime(timer, TIMER_ABSTIME, &every, NULL);
    WAIT("timer-absolute", sigwaitinfo(&set, &info) - SIGUSR2);
    event = (struct sigevent){.sigev_notify = SIGEV_THREAD, .sigev_notify_function = call, .sigev_value.sival_int = 78};
    timer_create(CLOCK_BOOTTIME, &event, &timer);
    timer_settime(timer, 0, &(struct itimerspec){{0, 0}, {3, 0}}, NULL);
    sleep(2);
    printf("timer-thread %d 0\n", called);
    sleep(2);
    printf("timer-thread %d 0\n", called);
}

static long long ticks(int timer) {
    uint64_t ticks = 0;
    return read(timer, &ticks, sizeof ticks) < 0 ? -1 : (long long)ticks;
}

static void descriptors(void) {
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    struct pollfd p = {.fd = timer, .events = POLLIN};
    struct itimerspec once = {{0, 0}, {3, 0}}, every = {{2, 0}, {1, 0}}, is;
    timerfd_settime(timer, 0, &once, NULL);
    WAIT("timerfd", ticks(timer));
    timerfd_settime(timer, 0, &once, NULL);
    WAIT("timerfd-poll", poll(&p, 1, 5000));
    WAIT("timerfd-read", ticks(timer));
    timerfd_settime(timer, 0, &every, NULL);
    sleep(6);
    WAIT("timerfd-ticks", ticks(timer));
    WAIT("timerfd-next", ticks(timer));
    timerfd_gettime(timer, &is);
    printf("timerfd_gettime %ld %ld\n", is.it_value.tv_sec + (is.it_value.tv_nsec > SECOND / 2), (long)is.it_interval.tv_sec);
    int copy = dup(timer);
    close(timer);
    timerfd_settime(copy, 0, &(struct itimerspec){0}, &is);
    printf("timerfd-before %ld 0\n", (long)is.it_interval.tv_sec);
    p.fd = copy;
    WAIT("timerfd-unset", poll(&p, 1, 3000));
    close(copy);
    timer = timerfd_create(CLOCK_REALTIME, 0);
    int poller = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN}, found;
    epoll_ctl(poller, EPOLL_CTL_ADD, timer, &event);
    struct itimerspec at = {{0, 0}, later(CLOCK_REALTIME, 3)};
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL);
    WAIT("timerfd-epoll", epoll_wait(poller, &found, 1, 5000));
    timerfd_settime(timer, 0, &once, NULL);
    close(timer);
    WAIT("timerfd-closed", epoll_wait(poller, &found, 1, 5000));
}

static void queues(void) {
    struct timespec at = later(CLOCK_REALTIME, 3), t = seconds(3);
    char name[40], text[10];
    snprintf(name, sizeof name, "/daemonproof-%d", getpid());
    mqd_t queue = mq_open(name, O_RDWR | O_CREAT, 0600, &(struct mq_attr){.mq_maxmsg = 1, .mq_msgsize = sizeof text});
    mq_unlink(name);
    WAIT("mq_timedreceive", mq_timedreceive(queue, text, sizeof text, NULL, &at));
    int set = semget(IPC_PRIVATE, 1, 0600);
    struct sembuf down = {0, -1, 0};
    WAIT("semtimedop", semtimedop(set, &down, 1, &t));
    semctl(set, 0, IPC_RMID);
    unsigned long context = 0;
    char event[32];
    syscall(SYS_io_setup, 1, &context);
    WAIT("io_getevents", syscall(SYS_io_getevents, context, 1L, 1L, event, &t));
}

int main(void) {
    int fds[2];
    if (pipe(fds))
        return 1;
    handle(SIGUSR1);
    sleeps();
    polls(fds);
    selects(fds);
    epolls(fds);
    threads();
    alarm_clocks();
    timers();
    descriptors();
    queues();
    struct timespec computed;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &computed);
    printf("computed %d 0\n", computed.tv_sec < 20);
    return 0;
}
