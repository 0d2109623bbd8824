// SPDX-License-Identifier: GPL-2.0-only
/* A process of the script: does what the controller says, one step at a time. */
#define _GNU_SOURCE
#include "oracle.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/swap.h>
#include <sys/uio.h>
#include <unistd.h>

static sigjmp_buf after_signal;

static void on_signal(int number)
{
	siglongjmp(after_signal, number);
}

static char *at(long page)
{
	return (char *)ARENA_BASE + page * PAGE;
}

/* 0, or the number of the signal that the access ended in. */
static long load(long page, unsigned *value)
{
	int number = sigsetjmp(after_signal, 1);

	if (number == 0)
		*value = *(volatile unsigned *)at(page);
	return number;
}

static long store(long page, const unsigned *value)
{
	int number = sigsetjmp(after_signal, 1);

	if (number == 0)
		*(volatile unsigned *)at(page) = *value;
	return number;
}

static long write_token(long page, long token)
{
	unsigned value = (unsigned)token;

	return store(page, &value);
}

static long map(const long *a)
{
	int file = (int)a[4];
	void *result = mmap(at(a[0]), a[1] * PAGE, a[2], a[3], file < 0 ? -1 : files[file].fd, a[5] * PAGE);

	if (result == MAP_FAILED)
		return -errno;
	/* Read-ahead brings pages that nobody asked for, in large folios. */
	if (file >= 0 && madvise(at(a[0]), a[1] * PAGE, MADV_RANDOM) != 0)
		return -errno;
	return 0;
}

static void ask_mincore(struct reply *reply)
{
	for (long page = 0; page < arena_pages; page++) {
		unsigned char core = 0;

		/* Pages that are not mapped say ENOMEM. */
		reply->core[page] = mincore(at(page), PAGE, &core) == 0 ? core & 1 : 0;
	}
}

static int open_memory(long pid)
{
	char path[64];
	int fd;

	snprintf(path, sizeof path, "/proc/%ld/mem", pid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		fail(path);
	return fd;
}

static void read_contents(const long *a, struct reply *reply)
{
	for (long i = 0; i < a[1]; i++) {
		unsigned value = 0;
		long number = load(a[0] + i, &value);

		reply->contents[i] = number ? (int)-number : (int)value;
	}
	reply->content_count = (int)a[1];
}

/* A page of a file, which begins with its value. There is none behind the file's end. */
static long read_file(const long *a, unsigned *value)
{
	unsigned page[PAGE / sizeof(unsigned)] = { 0 };
	ssize_t bytes = pread(files[a[0]].fd, page, PAGE, a[1] * PAGE);

	*value = page[0];
	return bytes < 0 ? -errno : bytes == 0 ? -ENODATA : 0;
}

static long write_file(const long *a)
{
	unsigned page[PAGE / sizeof(unsigned)] = { (unsigned)a[2] };

	return pwrite(files[a[0]].fd, page, PAGE, a[1] * PAGE) == (ssize_t)PAGE ? 0 : -errno;
}

/* A page of another process, whose pid the controller has put into the command: as a debugger has it. */
static long read_memory(const long *a, unsigned *value)
{
	int fd = open_memory(a[3]);
	ssize_t bytes = pread(fd, value, sizeof *value, (off_t)at(a[1]));
	long result = bytes == sizeof *value ? 0 : -errno;

	close(fd);
	return result;
}

static long write_memory(const long *a)
{
	unsigned value = (unsigned)a[2];
	int fd = open_memory(a[3]);
	ssize_t bytes = pwrite(fd, &value, sizeof value, (off_t)at(a[1]));
	long result = bytes == sizeof value ? 0 : -errno;

	close(fd);
	return result;
}

/* The same where the area permits it. */
static long transfer_memory(const long *a, unsigned *value, bool writes)
{
	struct iovec own = { .iov_base = value, .iov_len = sizeof *value };
	struct iovec theirs = { .iov_base = at(a[1]), .iov_len = sizeof *value };
	ssize_t bytes = writes ? process_vm_writev((pid_t)a[3], &own, 1, &theirs, 1, 0) :
				 process_vm_readv((pid_t)a[3], &own, 1, &theirs, 1, 0);

	return bytes == sizeof *value ? 0 : -errno;
}

static long write_other(const long *a)
{
	unsigned value = (unsigned)a[2];

	return transfer_memory(a, &value, true);
}

/* Only clean pages go. */
static long drop_file(int fd)
{
	return fsync(fd) != 0 ? -errno : -posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
}

static long as_result(long result)
{
	return result < 0 ? -errno : 0;
}

static long move(const long *a)
{
	return mremap(at(a[0]), a[1] * PAGE, a[3] * PAGE, a[4], a[2] < 0 ? NULL : at(a[2])) == MAP_FAILED ? -errno : 0;
}

/* Pages come when they are touched, one by one: see map(). */
static long remap_pages(const long *a)
{
	if (remap_file_pages(at(a[0]), a[1] * PAGE, 0, a[2], MAP_NONBLOCK) != 0)
		return -errno;
	return as_result(madvise(at(a[0]), a[1] * PAGE, MADV_RANDOM));
}

/* The child goes on as the process that it was made for. */
static long clone_self(int *process, const long *a, struct reply *reply)
{
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		*process = (int)a[0];
		return 0;
	}
	reply->value = (unsigned)pid;
	return 0;
}

static long perform(int *process, const struct command *command, struct reply *reply)
{
	const long *a = command->argument;
	size_t bytes = a[1] * PAGE;

	switch (command->operation) {
	case 'M': return map(a);
	case 'R': return load(a[0], &reply->value);
	case 'W': return write_token(a[0], a[1]);
	case 'F': return clone_self(process, a, reply);
	case 'U': return as_result(munmap(at(a[0]), bytes));
	case 'V': return move(a);
	case 'f': return remap_pages(a);
	case 'P': return as_result(mprotect(at(a[0]), bytes, (int)a[2]));
	case 'A': return as_result(madvise(at(a[0]), bytes, (int)a[2]));
	case 'S': return as_result(msync(at(a[0]), bytes, (int)a[2]));
	case 'L': return as_result(mlock(at(a[0]), bytes));
	case 'K': return as_result(munlock(at(a[0]), bytes));
	case 'T': return as_result(ftruncate(files[a[0]].fd, a[1] * PAGE));
	case 'X': _exit(0);
	case 'C': read_contents(a, reply); return 0;
	case 'r': return read_file(a, &reply->value);
	case 'w': return write_file(a);
	case 'h':
		return as_result(fallocate(files[a[0]].fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, a[1] * PAGE, a[2] * PAGE));
	case 's': return as_result(fsync(files[a[0]].fd));
	case 'd': return drop_file(files[a[0]].fd);
	case 'p': return read_memory(a, &reply->value);
	case 'q': return write_memory(a);
	case 'u': return transfer_memory(a, &reply->value, false);
	case 'v': return write_other(a);
	case 'o': return as_result(swapoff(swap_path));
	case 'O': return as_result(swapon(swap_path, SWAP_FLAG_PREFER | SWAP_PRIORITY));
	case '?': ask_mincore(reply); return 0;
	default: return -ENOSYS;
	}
}

/* In the page table of an arena for ordinary pages, which maps 512 pages; behind one for huge pages, which has no table while it has those. */
static long pinned_page(void)
{
	return arena_pages < 256 ? 256 : arena_pages;
}

/*
 * A page behind the arena that stays, so that the page table is always there. Without one, 6.18 maps no single page around a fault that itself fails
 * (found by this program); which tables there are is not what is compared.
 */
static void keep_page_table(void)
{
	char *page = mmap(at(pinned_page()), PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (page == MAP_FAILED)
		fail("the page behind the arena");
	*page = 1;
}

void worker(int process)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct command command;

	keep_page_table();
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	/* The end of the controller must be the end of the commands. */
	for (int i = 0; i < MAX_PROCESSES; i++)
		close(command_pipe[i][1]);
	while (read(command_pipe[process][0], &command, sizeof command) == sizeof command) {
		struct reply reply;
		int self = process;

		memset(&reply, 0, sizeof reply);
		reply.result = perform(&process, &command, &reply);
		if (process != self)
			continue;
		if (write(reply_pipe[process][1], &reply, sizeof reply) != sizeof reply)
			break;
	}
	_exit(0);
}
