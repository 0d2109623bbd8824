// SPDX-License-Identifier: MIT

/** x86-64 system call numbers, from 0; an empty name is one that the recorder has no use for. */
const TABLE = `
read write open close stat fstat lstat poll
lseek mmap mprotect munmap brk rt_sigaction rt_sigprocmask rt_sigreturn
ioctl pread64 pwrite64 readv writev access pipe select
sched_yield mremap msync mincore madvise shmget shmat shmctl
dup dup2 pause nanosleep getitimer alarm setitimer getpid
sendfile socket connect accept sendto recvfrom sendmsg recvmsg
shutdown bind listen getsockname getpeername socketpair setsockopt getsockopt
clone fork vfork execve exit wait4 kill uname
semget semop semctl shmdt msgget msgsnd msgrcv msgctl
fcntl flock fsync fdatasync truncate ftruncate getdents getcwd
chdir fchdir rename mkdir rmdir creat link unlink
symlink readlink chmod fchmod chown fchown lchown umask
gettimeofday getrlimit getrusage sysinfo times ptrace getuid syslog
getgid setuid setgid geteuid getegid setpgid getppid getpgrp
setsid setreuid setregid getgroups setgroups setresuid getresuid setresgid
getresgid getpgid setfsuid setfsgid getsid capget capset rt_sigpending
rt_sigtimedwait rt_sigqueueinfo rt_sigsuspend sigaltstack utime mknod uselib personality
ustat statfs fstatfs sysfs getpriority setpriority sched_setparam sched_getparam
sched_setscheduler sched_getscheduler sched_get_priority_max sched_get_priority_min sched_rr_get_interval mlock munlock mlockall
munlockall vhangup modify_ldt pivot_root _sysctl prctl arch_prctl adjtimex
setrlimit chroot sync acct settimeofday mount umount2 swapon
swapoff reboot sethostname setdomainname iopl ioperm create_module init_module
delete_module get_kernel_syms query_module quotactl nfsservctl getpmsg putpmsg afs_syscall
tuxcall security gettid readahead setxattr lsetxattr fsetxattr getxattr
lgetxattr fgetxattr listxattr llistxattr flistxattr removexattr lremovexattr fremovexattr
tkill time futex sched_setaffinity sched_getaffinity set_thread_area io_setup io_destroy
io_getevents io_submit io_cancel get_thread_area lookup_dcookie epoll_create epoll_ctl_old epoll_wait_old
remap_file_pages getdents64 set_tid_address restart_syscall semtimedop fadvise64 timer_create timer_settime
timer_gettime timer_getoverrun timer_delete clock_settime clock_gettime clock_getres clock_nanosleep exit_group
epoll_wait epoll_ctl tgkill utimes vserver mbind set_mempolicy get_mempolicy
mq_open mq_unlink mq_timedsend mq_timedreceive mq_notify mq_getsetattr kexec_load waitid
add_key request_key keyctl ioprio_set ioprio_get inotify_init inotify_add_watch inotify_rm_watch
migrate_pages openat mkdirat mknodat fchownat futimesat newfstatat unlinkat
renameat linkat symlinkat readlinkat fchmodat faccessat pselect6 ppoll
unshare set_robust_list get_robust_list splice tee sync_file_range vmsplice move_pages
utimensat epoll_pwait signalfd timerfd_create eventfd fallocate timerfd_settime timerfd_gettime
accept4 signalfd4 eventfd2 epoll_create1 dup3 pipe2 inotify_init1 preadv
pwritev rt_tgsigqueueinfo perf_event_open recvmmsg fanotify_init fanotify_mark prlimit64 name_to_handle_at
open_by_handle_at clock_adjtime syncfs sendmmsg setns getcpu process_vm_readv process_vm_writev
kcmp finit_module sched_setattr sched_getattr renameat2 seccomp getrandom memfd_create
kexec_file_load bpf execveat userfaultfd membarrier mlock2 copy_file_range preadv2
pwritev2 pkey_mprotect pkey_alloc pkey_free statx io_pgetevents rseq 
`;

const LATER: Record<number, string> = {
  425: 'io_uring_setup',
  426: 'io_uring_enter',
  427: 'io_uring_register',
  434: 'pidfd_open',
  435: 'clone3',
  436: 'close_range',
  437: 'openat2',
  438: 'pidfd_getfd',
  439: 'faccessat2',
  440: 'process_madvise',
  441: 'epoll_pwait2',
  449: 'futex_waitv',
};

const NAMES: readonly string[] = TABLE.trim().split(/\s+/);

/** The name of a system call, or `sys_N` for one not in the table. */
export function syscallName(number: number): string {
  return NAMES[number] ?? LATER[number] ?? `sys_${number}`;
}

/**
 * The calls that strace is asked for: those whose arguments lie in the program's memory, where tracefs does not look.
 * Everything else comes from tracefs alone, and runs without being stopped.
 */
export const STRACED: ReadonlySet<string> = new Set([
  ...['open', 'openat', 'openat2', 'creat', 'execve', 'execveat', 'truncate', 'chdir', 'fchdir', 'memfd_create'],
  ...['unlink', 'unlinkat', 'rename', 'renameat', 'renameat2', 'link', 'linkat'],
  ...['pipe', 'pipe2', 'socketpair', 'sendfile', 'copy_file_range', 'splice'],
]);

/** Calls that may block, and so order threads, whatever their descriptor is. */
export const BLOCKING: ReadonlySet<string> = new Set([
  ...['wait4', 'waitid', 'futex', 'futex_waitv', 'poll', 'ppoll', 'select', 'pselect6', 'epoll_wait', 'epoll_pwait'],
  ...['epoll_pwait2', 'nanosleep', 'clock_nanosleep', 'pause', 'rt_sigsuspend', 'rt_sigtimedwait', 'flock'],
  ...['accept', 'accept4', 'connect', 'recvfrom', 'recvmsg', 'sendto', 'sendmsg', 'kill', 'tgkill', 'tkill'],
]);

/** Calls that change memory or files in ways the format has no record for: a recording with one carries a warning. */
export const NOT_FOLLOWED: ReadonlySet<string> = new Set([
  ...['io_uring_setup', 'io_uring_enter', 'io_submit', 'shmat', 'shmdt', 'remap_file_pages', 'process_vm_writev'],
  ...['process_madvise', 'pkey_mprotect', 'userfaultfd', 'pidfd_getfd', 'vmsplice', 'tee', 'unshare', 'setns'],
]);

/**
 * Where a call's user memory is: argument with the address, and its length: a number, the argument that holds it
 * (`arg`, times `each`), or the result.
 */
export interface BufferRule {
  at: number;
  length: number | { arg: number; each?: number } | 'result';
}

const fixed = (...pairs: [at: number, length: number][]): BufferRule[] => pairs.map(([at, length]) => ({ at, length }));
const sized = (at: number, arg: number, each = 1): BufferRule[] => [{ at, length: { arg, each } }];
const returned = (at: number): BufferRule[] => [{ at, length: 'result' }];
/** A path whose length is not known: its first byte stands for it. */
const path = (at: number): BufferRule[] => fixed([at, 1]);

const STAT = 144;
export const BUFFERS: Readonly<Record<string, BufferRule[]>> = {
  stat: [...path(0), ...fixed([1, STAT])],
  lstat: [...path(0), ...fixed([1, STAT])],
  fstat: fixed([1, STAT]),
  newfstatat: [...path(1), ...fixed([2, STAT])],
  statx: [...path(1), ...fixed([4, 256])],
  statfs: [...path(0), ...fixed([1, 120])],
  fstatfs: fixed([1, 120]),
  access: path(0),
  faccessat: path(1),
  faccessat2: path(1),
  readlink: [...path(0), ...returned(1)],
  readlinkat: [...path(1), ...returned(2)],
  getcwd: returned(0),
  mkdir: path(0),
  mkdirat: path(1),
  rmdir: path(0),
  chmod: path(0),
  fchmodat: path(1),
  getdents: returned(1),
  getdents64: returned(1),
  getrandom: returned(0),
  uname: fixed([0, 390]),
  sysinfo: fixed([0, 112]),
  getrusage: fixed([1, STAT]),
  times: fixed([0, 32]),
  prlimit64: fixed([2, 16], [3, 16]),
  getrlimit: fixed([1, 16]),
  rt_sigaction: fixed([1, 32], [2, 32]),
  rt_sigprocmask: fixed([1, 8], [2, 8]),
  sigaltstack: fixed([0, 24], [1, 24]),
  clock_gettime: fixed([1, 16]),
  clock_getres: fixed([1, 16]),
  gettimeofday: fixed([0, 16]),
  sched_getaffinity: returned(2),
  pipe: fixed([0, 8]),
  pipe2: fixed([0, 8]),
  socketpair: fixed([3, 8]),
  sendfile: fixed([2, 8]),
  copy_file_range: fixed([1, 8], [3, 8]),
  execve: path(0),
  execveat: path(1),
  wait4: fixed([1, 4], [3, STAT]),
  waitid: fixed([2, 128], [4, STAT]),
  futex: fixed([0, 4]),
  poll: sized(0, 1, 8),
  ppoll: [...sized(0, 1, 8), ...fixed([2, 16])],
  select: fixed([1, 128], [2, 128], [3, 128], [4, 16]),
  pselect6: fixed([1, 128], [2, 128], [3, 128], [4, 16]),
  epoll_ctl: fixed([3, 12]),
  epoll_wait: sized(1, 2, 12),
  epoll_pwait: sized(1, 2, 12),
  nanosleep: fixed([0, 16], [1, 16]),
  clock_nanosleep: fixed([2, 16], [3, 16]),
  recvfrom: sized(1, 2),
  sendto: sized(1, 2),
  recvmsg: fixed([1, 56]),
  sendmsg: fixed([1, 56]),
};
