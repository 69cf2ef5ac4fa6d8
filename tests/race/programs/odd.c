/* Daemons that are right in their protocol, each odd in one way, and programs that are no daemons at all.
 *
 * odd MODE PIDFILE. The protocol: lock PIDFILE.guard, which is never removed; write PIDFILE under another name and
 * rename it; wait for SIGTERM; remove PIDFILE. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *program, *pidfile;
static int ready_fd = -1;

static void die(const char *why)
{
    fprintf(stderr, "odd: %s: %s\n", why, strerror(errno));
    exit(2);
}

static void refuse(void)
{
    fprintf(stderr, "odd: already running\n");
    exit(1);
}

static const char *beside(const char *ending)
{
    static char path[4096];
    snprintf(path, sizeof path, "%s%s", pidfile, ending);
    return path;
}

static int open_guard(void)
{
    int fd = open(beside(".guard"), O_RDWR | O_CREAT, 0644);
    if (fd < 0)
        die("guard");
    return fd;
}

static void lock(void)
{
    if (flock(open_guard(), LOCK_EX | LOCK_NB) != 0)
        refuse();
}

static int lock_record(int command)
{
    struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    return fcntl(open_guard(), command, &whole);
}

static void write_pidfile(void)
{
    char text[32];
    int length = snprintf(text, sizeof text, "%d\n", getpid());
    int fd = open(beside(".new"), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd < 0 || write(fd, text, length) != length || close(fd) != 0)
        die("pidfile");
    char from[4096];
    strcpy(from, beside(".new"));
    if (rename(from, pidfile) != 0)
        die("rename");
}

static void stop(void)
{
    unlink(pidfile);
    _exit(0);
}

static sigset_t only(int signal)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    return set;
}

static void block(int signal)
{
    sigset_t set = only(signal);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static void ready(void)
{
    write_pidfile();
    if (ready_fd >= 0 && write(ready_fd, "", 1) != 1)
        die("ready");
}

/* The plain daemon, once it is the only one. */
static void serve(void)
{
    block(SIGTERM);
    ready();
    sigset_t set = only(SIGTERM);
    int signal;
    sigwait(&set, &signal);
    stop();
}

static void lock_and_serve(void)
{
    lock();
    serve();
}

/* Who waits for the lock. */

static void flock_waits(void)
{
    if (flock(open_guard(), LOCK_EX) != 0)
        die("flock");
    serve();
}

static void record_waits(void)
{
    if (lock_record(F_SETLKW) != 0)
        die("F_SETLKW");
    serve();
}

static void description_waits(void)
{
    if (lock_record(F_OFD_SETLKW) != 0)
        die("F_OFD_SETLKW");
    serve();
}

/* How it waits for its signal. */

static volatile sig_atomic_t told;
static int pipe_to_self[2];

static void on_term(int signal)
{
    (void)signal;
    told = 1;
    if (pipe_to_self[1] && write(pipe_to_self[1], "", 1) != 1)
        _exit(3);
}

static void handle_term(void)
{
    struct sigaction action = { .sa_handler = on_term };
    sigaction(SIGTERM, &action, NULL);
}

static void suspended(void)
{
    lock();
    block(SIGTERM);
    handle_term();
    ready();
    sigset_t none;
    sigemptyset(&none);
    while (!told)
        sigsuspend(&none);
    stop();
}

static void piped(void)
{
    lock();
    if (pipe2(pipe_to_self, O_CLOEXEC) != 0)
        die("pipe");
    handle_term();
    ready();
    char byte;
    while (read(pipe_to_self[0], &byte, 1) != 1)
        ;
    stop();
}

static void selects(void)
{
    lock();
    block(SIGTERM);
    handle_term();
    ready();
    sigset_t none;
    sigemptyset(&none);
    while (!told)
        pselect(0, NULL, NULL, NULL, NULL, &none);
    stop();
}

static int term_descriptor(void)
{
    block(SIGTERM);
    sigset_t set = only(SIGTERM);
    return signalfd(-1, &set, SFD_CLOEXEC);
}

static void polls_signals(void)
{
    lock();
    struct pollfd asked = { .fd = term_descriptor(), .events = POLLIN };
    ready();
    while (poll(&asked, 1, 1000) != 1)
        ;
    struct signalfd_siginfo info;
    if (read(asked.fd, &info, sizeof info) != sizeof info)
        die("signalfd");
    stop();
}

static void epolls(void)
{
    lock();
    int fd = term_descriptor(), epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        die("epoll");
    ready();
    while (epoll_wait(epoll, &event, 1, -1) != 1)
        ;
    struct signalfd_siginfo info;
    if (read(event.data.fd, &info, sizeof info) != sizeof info)
        die("signalfd");
    stop();
}

/* Threads. */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int arrived;

static void *arrive(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&mutex);
    arrived++;
    pthread_cond_signal(&condition);
    pthread_mutex_unlock(&mutex);
    return NULL;
}

static void threads(void)
{
    lock();
    pthread_t workers[2];
    for (int i = 0; i < 2; i++)
        if (pthread_create(&workers[i], NULL, arrive, NULL) != 0)
            die("pthread_create");
    pthread_mutex_lock(&mutex);
    while (arrived < 2)
        pthread_cond_wait(&condition, &mutex);
    pthread_mutex_unlock(&mutex);
    for (int i = 0; i < 2; i++)
        pthread_join(workers[i], NULL);
    serve();
}

static void *serve_in_thread(void *unused)
{
    (void)unused;
    serve();
    return NULL;
}

static void start_thread(void *(*what)(void *))
{
    pthread_t thread;
    block(SIGTERM);
    if (pthread_create(&thread, NULL, what, NULL) != 0)
        die("pthread_create");
}

static void other_thread_exits(void)
{
    lock();
    start_thread(serve_in_thread);
    for (;;)
        pause();
}

static void first_thread_leaves(void)
{
    lock();
    start_thread(serve_in_thread);
    pthread_exit(NULL);
}

static void execute_self(const char *mode)
{
    execl(program, program, mode, pidfile, (char *)NULL);
    _exit(127);
}

static void *execute_in_thread(void *unused)
{
    (void)unused;
    execute_self("plain");
    return NULL;
}

static void thread_executes(void)
{
    start_thread(execute_in_thread);
    for (;;)
        pause();
}

/* Processes. */

static void vforks(void)
{
    pid_t child = vfork();
    if (child == 0)
        execute_self("exit-0");
    int status;
    if (waitpid(child, &status, 0) != child || status != 0)
        die("vfork");
    lock_and_serve();
}

static void exits_0(void)
{
    _exit(0);
}

/* The parent waits until the daemon is ready, or exits as it does. */
static void forks_twice(void)
{
    int ends[2], status;
    if (pipe(ends) != 0)
        die("pipe");
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        setsid();
        pid_t daemon = fork();
        if (daemon == 0) {
            ready_fd = ends[1];
            lock_and_serve();
        }
        close(ends[1]);
        _exit(daemon < 0);
    }
    close(ends[1]);
    char byte;
    ssize_t got = read(ends[0], &byte, 1);
    waitpid(child, &status, 0);
    _exit(got != 1);
}

static volatile sig_atomic_t reaped;

static void on_child(int signal)
{
    (void)signal;
    while (waitpid(-1, NULL, WNOHANG) > 0)
        reaped++;
}

static void reaps_in_handler(void)
{
    lock();
    struct sigaction action = { .sa_handler = on_child };
    sigaction(SIGCHLD, &action, NULL);
    block(SIGCHLD);
    if (fork() == 0)
        _exit(0);
    sigset_t none;
    sigemptyset(&none);
    while (reaped < 1)
        sigsuspend(&none);
    serve();
}

/* Sockets: the lock is an address, and whoever finds it taken asks its owner. */
static void socket_owner(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    strncpy(address.sun_path, beside(".sock"), sizeof address.sun_path - 1);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        char byte = 'x';
        if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0 && read(fd, &byte, 1) == 1)
            refuse();
        /* It is bound, and not yet listening. */
        refuse();
    }
    if (listen(fd, 5) != 0)
        die("listen");
    int client;
    ready();
    while ((client = accept(fd, NULL, NULL)) >= 0) {
        if (write(client, "y", 1) != 1)
            die("write");
        close(client);
    }
    die("accept");
}

/* What the tracer does itself. */

static void wants_a_tracer(void)
{
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    lock_and_serve();
}

static void filters_calls(void)
{
    struct sock_filter instructions[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_getppid, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EDOM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = { .len = 4, .filter = instructions };
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0)
        die("seccomp");
    if (syscall(__NR_getppid) != -1 || errno != EDOM)
        die("getppid");
    lock_and_serve();
}

static void maps(void)
{
    int fd = open_guard();
    if (ftruncate(fd, 4096) != 0)
        die("ftruncate");
    if (mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED)
        die("mmap");
    lock_and_serve();
}

/* What is no daemon. */

static void spins(void)
{
    for (volatile int forever = 1; forever;)
        ;
}

/* Who loses does not go. */
static void spins_when_refused(void)
{
    if (flock(open_guard(), LOCK_EX | LOCK_NB) != 0)
        spins();
    serve();
}

static void fails(void)
{
    fprintf(stderr, "odd: no configuration\n");
    exit(3);
}

static void reads_own_pipe(void)
{
    int ends[2];
    char byte;
    if (pipe(ends) != 0 || read(ends[0], &byte, 1) < 0)
        die("pipe");
}

/* Wrong if its child has not written yet: it does not wait for that, and then forgets to lock. */
static void forgets_in_haste(void)
{
    int pair[2], status;
    char byte;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        die("socketpair");
    pid_t child = fork();
    if (child == 0)
        _exit(send(pair[1], "", 1, 0) != 1);
    if (recv(pair[0], &byte, 1, MSG_DONTWAIT) == 1)
        lock();
    waitpid(child, &status, 0);
    serve();
}

static void forks_forever(void)
{
    for (;;)
        fork();
}

static void fork_chain(void)
{
    while (fork() == 0)
        ;
    _exit(0);
}

static void opens_many(void)
{
    lock();
    for (int i = 0; i < 10000; i++) {
        char ending[32];
        snprintf(ending, sizeof ending, ".%d", i);
        close(open(beside(ending), O_RDWR | O_CREAT, 0644));
    }
    serve();
}

static void keeps_many(void)
{
    lock();
    for (int i = 0; i < 10000; i++)
        open(beside(".guard"), O_RDONLY);
    serve();
}

/* Sleeps until the other one is gone. */
static void retries(void)
{
    int fd = open_guard();
    while (flock(fd, LOCK_EX | LOCK_NB) != 0)
        usleep(100000);
    serve();
}

/* Computes until a second has passed, a system call at a time. */
static void reads_the_clock(void)
{
    struct timespec first, now;
    clock_gettime(CLOCK_MONOTONIC, &first);
    do
        clock_gettime(CLOCK_MONOTONIC, &now);
    while (now.tv_sec - first.tv_sec < 1);
    lock_and_serve();
}

static const struct {
    const char *name;
    void (*run)(void);
} modes[] = {
    { "plain", lock_and_serve },
    { "flock-waits", flock_waits },
    { "record-waits", record_waits },
    { "description-waits", description_waits },
    { "suspended", suspended },
    { "piped", piped },
    { "selects", selects },
    { "polls-signals", polls_signals },
    { "epolls", epolls },
    { "threads", threads },
    { "other-thread-exits", other_thread_exits },
    { "first-thread-leaves", first_thread_leaves },
    { "thread-executes", thread_executes },
    { "vforks", vforks },
    { "exit-0", exits_0 },
    { "forks-twice", forks_twice },
    { "reaps-in-handler", reaps_in_handler },
    { "socket-owner", socket_owner },
    { "wants-a-tracer", wants_a_tracer },
    { "filters-calls", filters_calls },
    { "maps", maps },
    { "spins", spins },
    { "spins-when-refused", spins_when_refused },
    { "fails", fails },
    { "reads-own-pipe", reads_own_pipe },
    { "forgets-in-haste", forgets_in_haste },
    { "forks-forever", forks_forever },
    { "fork-chain", fork_chain },
    { "opens-many", opens_many },
    { "keeps-many", keeps_many },
    { "retries", retries },
    { "reads-the-clock", reads_the_clock },
};

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    program = argv[0];
    pidfile = argv[2];
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (strcmp(modes[i].name, argv[1]) == 0)
            modes[i].run();
    return 2;
}
