/* Waits until the wall clock shows an hour later, in three ways at once, and says when each is over by the monotonic clock. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static struct timespec began, hour;

static void say(const char *what) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    printf("%s after %ld s\n", what, (long)(now.tv_sec - began.tv_sec));
    fflush(stdout);
}

static void *sleeper(void *unused) {
    clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &hour, NULL);
    say("sleep");
    return unused;
}

static void *condition(void *unused) {
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t never = PTHREAD_COND_INITIALIZER;
    pthread_mutex_lock(&mutex);
    while (pthread_cond_timedwait(&never, &mutex, &hour) != ETIMEDOUT) {
    }
    say("condition");
    return unused;
}

static void *descriptor(void *unused) {
    uint64_t ticks;
    int timer = timerfd_create(CLOCK_REALTIME, 0);
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &(struct itimerspec){{0, 0}, hour}, NULL);
    if (read(timer, &ticks, sizeof ticks) == sizeof ticks)
        say("descriptor");
    return unused;
}

int main(void) {
    void *(*all[])(void *) = {sleeper, condition, descriptor};
    pthread_t threads[3];
    clock_gettime(CLOCK_MONOTONIC, &began);
    clock_gettime(CLOCK_REALTIME, &hour);
    hour.tv_sec += 3600;
    for (int i = 0; i < 3; i++)
        pthread_create(threads + i, NULL, all[i], NULL);
    sleep(60);
    say("a minute");
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    return 0;
}
