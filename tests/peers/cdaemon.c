/*
 * A correct daemon in C, by hand, as in Stevens' APUE chapter 13 and The Linux Programming Interface 37 and 55.6.
 *
 * Follows: daemon(7) "SysV Daemons" steps 1-15, fcntl(2) record locks.
 * Built:   cc -O2 -Wall -Wextra -o cdaemon cdaemon.c
 * Driven:  cdaemon [-d] -p FILE
 *
 * Where it may differ from other correct daemons: a POSIX record lock on the pidfile; pid without newline;
 * mode 0640; the pidfile is written 150 ms after the lock and ready comes another 150 ms later; SIGTERM ends it
 * by the default action (wait status "killed by SIGTERM") once the pidfile is gone; SIGHUP reloads; its comm is
 * changed; umask 0; keeps a self-pipe open; handlers are caught signals, not blocked ones.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char pidfile[PATH_MAX];
static int lock_fd = -1, self_pipe[2], ready_fd = -1;

/* The name must still lead to the file that we locked: its owner may have removed it in between. */
static int still_named(int fd)
{
    struct stat mine, named;
    return fstat(fd, &mine) == 0 && lstat(pidfile, &named) == 0 && mine.st_dev == named.st_dev
        && mine.st_ino == named.st_ino;
}

static void die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("cdaemon: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    if (lock_fd >= 0 && still_named(lock_fd))
        unlink(pidfile);
    exit(1); /* the parent sees end of file on the pipe */
}

static void on_signal(int number)
{
    int saved = errno;
    unsigned char byte = (unsigned char)number;
    if (write(self_pipe[1], &byte, 1) < 0) { /* full: a signal is pending already */ }
    errno = saved;
}

/* Steps 1-3: descriptors, dispositions, mask. */
static void clean_process(int detach)
{
    int fd;
    do {
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    } while (fd >= 0 && fd <= 2);
    close(fd);
    if (detach) {
        DIR *dir = opendir("/proc/self/fd");
        for (struct dirent *e; dir && (e = readdir(dir));)
            if ((fd = atoi(e->d_name)) > 2 && fd != dirfd(dir))
                close(fd);
        if (dir)
            closedir(dir);
    }
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void catch_signals(void)
{
    if (pipe2(self_pipe, O_CLOEXEC | O_NONBLOCK) < 0)
        die("pipe: %s", strerror(errno));
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static int lock_pidfile(void)
{
    for (;;) {
        int fd = open(pidfile, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
        if (fd < 0)
            die("cannot open %s: %s", pidfile, strerror(errno));
        struct flock want = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
        if (fcntl(fd, F_SETLK, &want) < 0) {
            if (errno != EACCES && errno != EAGAIN)
                die("cannot lock %s: %s", pidfile, strerror(errno));
            struct flock held = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
            if (fcntl(fd, F_GETLK, &held) == 0 && held.l_type != F_UNLCK)
                die("%s: already running as pid %d", pidfile, (int)held.l_pid);
            close(fd); /* gone meanwhile */
            continue;
        }
        if (still_named(fd))
            return fd;
        close(fd);
    }
}

static void write_pid(void)
{
    char text[32];
    int length = snprintf(text, sizeof text, "%d", (int)getpid());
    if (ftruncate(lock_fd, 0) < 0 || pwrite(lock_fd, text, length, 0) != length)
        die("cannot write %s: %s", pidfile, strerror(errno));
}

static void tell_parent(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd <= 2; fd++)
        dup2(null, fd);
    close(null);
    if (write(ready_fd, "R", 1) < 0) { /* the parent was killed; carry on */ }
    close(ready_fd);
}

static void leave(int number)
{
    if (still_named(lock_fd))
        unlink(pidfile); /* still holding the lock */
    signal(number, SIG_DFL);
    raise(number);
    _exit(128 + number);
}

static void serve(void)
{
    struct pollfd wait = { .fd = self_pipe[0], .events = POLLIN };
    for (;;) {
        unsigned char number;
        if (poll(&wait, 1, -1) < 0 || read(self_pipe[0], &number, 1) != 1)
            continue;
        if (number != SIGHUP)
            leave(number);
        /* SIGHUP: a real one would read its configuration again here */
    }
}

/* Steps 4-8 and 15: returns in the daemon only. */
static void detach(void)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        die("pipe: %s", strerror(errno));
    pid_t child = fork();
    if (child < 0)
        die("fork: %s", strerror(errno));
    if (child > 0) {
        char byte;
        ssize_t got;
        close(ends[1]);
        waitpid(child, NULL, 0);
        do {
            got = read(ends[0], &byte, 1);
        } while (got < 0 && errno == EINTR);
        if (got == 1)
            _exit(0);
        fputs("cdaemon: the daemon did not start\n", stderr);
        _exit(1);
    }
    close(ends[0]);
    ready_fd = ends[1];
    setsid();
    child = fork();
    if (child < 0)
        die("fork: %s", strerror(errno));
    if (child > 0)
        _exit(0);
    umask(0);
    if (chdir("/") < 0)
        die("chdir: %s", strerror(errno));
}

int main(int argc, char **argv)
{
    int want_detach = 0;
    const char *name = NULL;
    for (int option; (option = getopt(argc, argv, "dp:")) != -1;) {
        if (option == 'd')
            want_detach = 1;
        else if (option == 'p')
            name = optarg;
        else
            return 2;
    }
    clean_process(want_detach);
    if (!name) {
        fputs("usage: cdaemon [-d] -p FILE\n", stderr);
        return 2;
    }
    char here[PATH_MAX] = "";
    if (name[0] != '/' && !getcwd(here, sizeof here))
        die("getcwd: %s", strerror(errno));
    if (snprintf(pidfile, sizeof pidfile, "%s%s%s", here, name[0] == '/' ? "" : "/", name) >= (int)sizeof pidfile)
        die("path too long: %s", name);
    if (want_detach)
        detach();
    prctl(PR_SET_NAME, "cd: serving");
    catch_signals();
    lock_fd = lock_pidfile();
    poll(NULL, 0, 150);
    write_pid();
    poll(NULL, 0, 150);
    if (ready_fd >= 0)
        tell_parent();
    serve();
}
