#!/usr/bin/perl
#
# A correct pre-forking daemon in Perl, core modules only, in the style of perlipc and Net::Server.
#
# Follows: perlipc "Complete Dissociation of Child from Parent" (one fork, setsid), flock(2), FHS 3.0 section 3.15.2.
# Driven:  perldaemon.pl [--daemon] --pidfile FILE
#
# Where it may differ from other correct daemons: the lock is a flock on FILE.lock, which is never removed, and the
# pidfile itself is not locked at all; the pidfile is published by rename; a session leader; two worker
# processes; stdout and stderr go to FILE.log when detached; its working directory is the pidfile's; umask 027, so
# the pidfile is 0640; SIGHUP opens the log again; a pipe to the workers is open; its comm is "perldaemon: mas".

use strict;
use warnings;
use Fcntl qw(:flock O_RDWR O_CREAT O_WRONLY O_EXCL O_TRUNC O_APPEND O_NOCTTY);
use File::Basename qw(dirname);
use File::Spec;
use Getopt::Long;
use POSIX qw(:signal_h :sys_wait_h);

my ($detach, $pidfile);
GetOptions('daemon' => \$detach, 'pidfile=s' => \$pidfile) && defined $pidfile
    or do { print STDERR "usage: perldaemon.pl [--daemon] --pidfile FILE\n"; exit 2 };
$pidfile = File::Spec->rel2abs($pidfile);

my $stop   = POSIX::SigSet->new(SIGTERM, SIGINT, SIGHUP);
my $none   = POSIX::SigSet->new;
my $ending = 0;
my $status_to;
my ($lock, $published);

fill_stdio();
$detach ? detach() : sigprocmask(SIG_SETMASK, $stop);
main_loop(start());

# Nothing of ours may land on 0-2.
sub fill_stdio {
    my $fd;
    do { $fd = POSIX::open('/dev/null', O_RDWR) } while defined $fd && $fd <= 2;
    POSIX::close($fd) if defined $fd;
}

sub detach {
    opendir my $dir, '/proc/self/fd' or die "/proc/self/fd: $!\n";
    my @inherited = grep { /^\d+$/ && $_ > 2 } readdir $dir;
    closedir $dir;
    POSIX::close($_) for @inherited;
    pipe my $status_from, $status_to or die "pipe: $!\n";
    defined(my $child = fork) or die "fork: $!\n";
    if ($child) {
        close $status_to;
        my $got = sysread $status_from, my $byte, 1;
        POSIX::_exit(0) if $got;
        waitpid $child, 0;
        print STDERR "perldaemon: killed before it was ready\n" if WIFSIGNALED($?);
        POSIX::_exit(WIFEXITED($?) && WEXITSTATUS($?) || 1);
    }
    close $status_from;
    sigprocmask(SIG_SETMASK, $stop);
    POSIX::setsid();
    chdir dirname($pidfile) or fail("cannot enter " . dirname($pidfile) . ": $!");
    umask 027;
}

sub fail {
    unlink $pidfile if $published;
    print STDERR "perldaemon: $_[0]\n";
    exit 1;
}

# Locks, publishes, starts the workers, reports. Returns the workers.
sub start {
    $0 = 'perldaemon: master';
    $SIG{TERM} = $SIG{INT} = sub { $ending = 1 };
    $SIG{HUP}  = \&open_log;
    $SIG{CHLD} = 'DEFAULT';
    sysopen $lock, "$pidfile.lock", O_RDWR | O_CREAT, 0644 or fail("cannot open $pidfile.lock: $!");
    flock $lock, LOCK_EX | LOCK_NB or fail("$pidfile: already running" . owner());
    fail("$pidfile is a directory") if -d $pidfile;
    publish();
    my @workers = (worker(), worker());
    if ($status_to) {
        open_log();
        open STDIN, '<', '/dev/null';
        syswrite $status_to, 'R';
        close $status_to;
    }
    return @workers;
}

sub owner {
    open my $file, '<', $pidfile or return '';
    my $pid = <$file> // '';
    return $pid =~ /^(\d+)/ ? " as pid $1" : '';
}

# Under the lock nobody else writes here, so a leftover of a crash may be replaced.
sub publish {
    unlink "$pidfile.new";
    sysopen my $new, "$pidfile.new", O_WRONLY | O_CREAT | O_EXCL, 0644 or fail("cannot create $pidfile.new: $!");
    print $new "$$\n" and close $new and rename "$pidfile.new", $pidfile
        or do { my $why = $!; unlink "$pidfile.new"; fail("cannot write $pidfile: $why") };
    $published = 1;
}

sub open_log {
    return unless $detach;
    sysopen my $log, "$pidfile.log", O_WRONLY | O_CREAT | O_APPEND | O_NOCTTY, 0640 or return;
    open STDOUT, '>&', $log;
    open STDERR, '>&', $log;
}

# A worker ends at the end of its pipe, so it cannot outlive the master, however that dies.
sub worker {
    pipe my $from_master, my $to_worker or fail("pipe: $!");
    defined(my $child = fork) or fail("fork: $!");
    if ($child == 0) {
        $0 = 'perldaemon: worker';
        close $lock;
        close $status_to if $status_to;
        close $to_worker;
        if ($detach) { open_log(); open STDIN, '<', '/dev/null' }
        sysread $from_master, my $order, 1;
        POSIX::_exit(0);
    }
    close $from_master;
    return { pid => $child, pipe => $to_worker };
}

sub main_loop {
    my @workers = @_;
    sigsuspend($none) until $ending;
    close $_->{pipe} for reverse @workers;    # the later one holds a copy of the earlier one's pipe
    waitpid $_->{pid}, 0 for @workers;
    unlink $pidfile if owner() eq " as pid $$";
    exit 0;
}
