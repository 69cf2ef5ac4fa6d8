/*
 * A correct daemon in the style of FreeBSD's and libbsd's pidfile(3), without either library.
 *
 * Follows: pidfile(3) (open and lock before daemon(), write after it, verify before removal), flock(2), daemon(3).
 * Built:   cc -O2 -Wall -Wextra -pthread -o cflock cflock.c
 * Driven:  cflock [-d] [-t] -p FILE       (-t: empties its pidfile on exit and leaves it, rather than removing it)
 *
 * daemon(3) by itself cannot be right: its parent calls _exit(0) inside the library, before the program has had a
 * chance to fail. So this one forks once more, outside: the outermost process waits on a pipe, its child calls
 * daemon(3). The daemon is then a session leader, as daemon(3) forks once only.
 *
 * Where it may differ from other correct daemons: a flock taken before the fork and inherited, so that
 * /proc/locks names a process that is gone; pidfile mode 0600; session leader; two threads besides the main one; a
 * listening socket FILE.sock beside the pidfile; umask left alone; SIGHUP ignored; SIGTERM is exit status 0; the
 * second start is refused by the foreground process, before any fork.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <err.h>
#include <unistd.h>

static char pidfile[PATH_MAX];
static int lock_fd = -1, keep;

/* As pidfile_verify(): is the name still our file's? */
static int verify(int fd)
{
    struct stat mine, named;
    return fstat(fd, &mine) == 0 && lstat(pidfile, &named) == 0 && mine.st_dev == named.st_dev
        && mine.st_ino == named.st_ino;
}

/* As pidfile_open(): returns it locked. */
static int pidfile_open(void)
{
    for (;;) {
        int fd = open(pidfile, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
            err(1, "cannot open %s", pidfile);
        if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
            char other[16] = "";
            if (errno != EWOULDBLOCK)
                err(1, "cannot lock %s", pidfile);
            if (pread(fd, other, sizeof other - 1, 0) <= 0)
                errx(1, "%s: already running (just starting)", pidfile);
            errx(1, "%s: already running, pid %d", pidfile, atoi(other));
        }
        if (verify(fd)) {
            if (ftruncate(fd, 0) < 0)
                err(1, "cannot truncate %s", pidfile);
            return fd;
        }
        close(fd);
    }
}

/* As pidfile_remove(); also when startup fails. The lock goes last, with the process. */
static void pidfile_remove(void)
{
    if (keep ? ftruncate(lock_fd, 0) : verify(lock_fd) && unlink(pidfile))
        warn("cannot remove %s", pidfile);
}

static void *worker(void *signals)
{
    int number; /* SIGUSR1 never comes: this is where a worker would work */
    sigwait(signals, &number);
    return NULL;
}

static int listen_beside(struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address->sun_family = AF_UNIX;
    if (snprintf(address->sun_path, sizeof address->sun_path, "%s.sock", pidfile) >= (int)sizeof address->sun_path)
        errx(1, "%s.sock: too long for a socket", pidfile);
    unlink(address->sun_path); /* the lock is ours, so a socket that is there is stale */
    if (fd < 0 || bind(fd, (struct sockaddr *)address, sizeof *address) < 0 || listen(fd, 8) < 0)
        err(1, "cannot listen on %s", address->sun_path);
    return fd;
}

/* Returns in the daemon, with the descriptor on which to report; the outermost process never returns. */
static int detach(void)
{
    sigset_t none;
    int ends[2];
    char byte;
    sigemptyset(&none);
    if (pipe2(ends, O_CLOEXEC) < 0)
        err(1, "pipe");
    pid_t child = fork();
    if (child < 0)
        err(1, "fork");
    if (child == 0) {
        close(ends[0]);
        if (daemon(0, 1) < 0)
            err(1, "daemon");
        return ends[1];
    }
    close(ends[1]);
    close(lock_fd); /* the child's copy keeps the lock */
    sigprocmask(SIG_SETMASK, &none, NULL);
    waitpid(child, NULL, 0);
    ssize_t got = read(ends[0], &byte, 1);
    if (got != 1)
        warnx("the daemon did not start");
    _exit(got == 1 ? 0 : 1);
}

static void null_stdio(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd <= 2; fd++)
        dup2(null, fd);
    close(null);
}

int main(int argc, char **argv)
{
    int want_detach = 0, number, ready_fd = -1;
    const char *name = NULL;
    for (int option; (option = getopt(argc, argv, "dtp:")) != -1;) {
        if (option == 'd')
            want_detach = 1;
        else if (option == 't')
            keep = 1;
        else if (option == 'p')
            name = optarg;
        else
            return 2;
    }
    if (!name)
        errx(2, "usage: cflock [-d] [-t] -p FILE");
    while ((number = open("/dev/null", O_RDWR | O_CLOEXEC)) >= 0 && number <= 2)
        ;
    close(number);
    if (want_detach)
        close_range(3, ~0U, 0);
    char here[PATH_MAX] = "";
    if (name[0] != '/' && !getcwd(here, sizeof here))
        err(1, "getcwd");
    if (snprintf(pidfile, sizeof pidfile, "%s%s%s", here, name[0] == '/' ? "" : "/", name) >= (int)sizeof pidfile)
        errx(1, "path too long: %s", name);

    /* Blocked before the pidfile exists, in every thread to come: sigwait() takes them. */
    sigset_t stop, user;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    signal(SIGHUP, SIG_IGN);
    sigprocmask(SIG_SETMASK, &stop, NULL);
    sigemptyset(&user);
    sigaddset(&user, SIGUSR1);

    lock_fd = pidfile_open();
    atexit(pidfile_remove);
    if (want_detach)
        ready_fd = detach();
    struct sockaddr_un address = { 0 };
    int socket_fd = listen_beside(&address);
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        if ((errno = pthread_create(&threads[i], NULL, worker, &user)))
            err(1, "pthread_create");
    if (dprintf(lock_fd, "%d\n", (int)getpid()) < 0)
        err(1, "cannot write %s", pidfile);
    if (ready_fd >= 0) {
        null_stdio();
        if (write(ready_fd, "R", 1) < 0) { /* nobody waits any more */ }
        close(ready_fd);
    }

    sigwait(&stop, &number);
    unlink(address.sun_path);
    close(socket_fd);
    return 0;
}
