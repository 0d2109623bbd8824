// SPDX-License-Identifier: GPL-2.0-only
/*
 * Performs a script on the kernel that runs, and prints after each step what the kernel says. Reads on standard input, written by src/kernel.ts:
 *
 *   A or H: the arena, for ordinary or for huge pages
 *   N or S PATH: without or with a swap area, a file that is made
 *   F FILES, then a line for each: d PAGES PATH (on a disk, made anew) or m PAGES (memfd)
 *   then a line for each step: PROCESS OPERATION ARGUMENT*6
 *
 * and prints a line of JSON for each step.
 */
#define _GNU_SOURCE
#include "oracle.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <unistd.h>

/* No step takes long. One that never comes back must not keep the machine. */
#define PATIENCE_MS 10000

long arena_pages = 64;
struct script_file files[MAX_FILES];
int file_count;
int command_pipe[MAX_PROCESSES][2];
int reply_pipe[MAX_PROCESSES][2];
static pid_t pids[MAX_PROCESSES];
static char *own_page;
static pid_t controller;
char swap_path[4096];

void fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, errno ? strerror(errno) : "unexpected");
	exit(1);
}

/* Pages of its own, one by one so that they are not folios of several, zeroed, and clean. */
static int make_disk_file(const char *path, long pages)
{
	static const char zeros[PAGE];
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0)
		fail(path);
	unlink(path);
	for (long i = 0; i < pages; i++)
		if (pwrite(fd, zeros, PAGE, i * PAGE) != (ssize_t)PAGE)
			fail(path);
	if (sync_file_range(fd, 0, 0,
			    SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER) != 0)
		fail("sync_file_range");
	/* Reads with read(2) bring the page that they ask for, and no others. */
	if (posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM) != 0)
		fail("posix_fadvise");
	return fd;
}

static int make_memory_file(long pages)
{
	int fd = memfd_create("oracle", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, pages * PAGE) != 0)
		fail("memfd");
	return fd;
}

/* One at a time has a swap area: pages must go to their own. Given back with the area, when this process ends. */
static void wait_for_turn(void)
{
	char program[4096] = "";
	int fd;

	if (readlink("/proc/self/exe", program, sizeof program - 1) < 0)
		fail("/proc/self/exe");
	*strrchr(program, '/') = 0;
	fd = open(program, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || flock(fd, LOCK_EX) != 0)
		fail(program);
}

static void end_swap(void)
{
	if (getpid() == controller)
		swapoff(swap_path);
}

/* The header that mkswap writes: version 1, the last page, and a mark at the end of the first page. */
static void make_swap(void)
{
	static char header[PAGE];
	unsigned *info = (unsigned *)(header + 1024);
	int fd;

	wait_for_turn();
	fd = open(swap_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	info[0] = 1;
	info[1] = SWAP_PAGES;
	memcpy(header + PAGE - 10, "SWAPSPACE2", 10);
	if (fd < 0 || fallocate(fd, 0, 0, (SWAP_PAGES + 1) * PAGE) != 0 || pwrite(fd, header, PAGE, 0) != (ssize_t)PAGE ||
	    fsync(fd) != 0 || close(fd) != 0)
		fail(swap_path);
	controller = getpid();
	atexit(end_swap);
	if (swapon(swap_path, SWAP_FLAG_PREFER | SWAP_PRIORITY) != 0)
		fail("swapon");
}

static void read_swap(void)
{
	char kind;

	if (scanf(" %c", &kind) != 1 || (kind == 'S' && scanf(" %4095[^\n]", swap_path) != 1))
		fail("whether there is swap");
	if (kind == 'S')
		make_swap();
}

static void make_files(void)
{
	if (scanf(" F %d", &file_count) != 1 || file_count > MAX_FILES)
		fail("the number of files");
	for (int i = 0; i < file_count; i++) {
		char kind, path[4096] = "";
		long pages;
		struct stat stat;

		if (scanf(" %c %ld", &kind, &pages) != 2 || (kind == 'd' && scanf(" %4095[^\n]", path) != 1))
			fail("a file");
		files[i].on_disk = kind == 'd';
		files[i].fd = files[i].on_disk ? make_disk_file(path, pages) : make_memory_file(pages);
		if (fstat(files[i].fd, &stat) != 0)
			fail("fstat");
		files[i].device = stat.st_dev;
		files[i].inode = stat.st_ino;
	}
}

/*
 * Empties this CPU's batches of pages on their way to or from an LRU list, as the kernel does before it marks pages cold. A batch has a reference to
 * each of its pages: 6.18 copies a page in one (the last locked mapping of it went away, say) instead of writing to it.
 */
static void drain_batches(void)
{
	if (madvise(own_page, PAGE, MADV_COLD) != 0)
		fail("MADV_COLD");
}

static void read_arena(void)
{
	char kind;

	if (scanf(" %c", &kind) != 1)
		fail("the kind of arena");
	if (kind == 'H')
		arena_pages = MAX_ARENA_PAGES;
	else if (prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) != 0)
		fail("PR_SET_THP_DISABLE");
}

/* One CPU for all, so that no other CPU's batches hold a page. */
static void prepare(void)
{
	cpu_set_t cpus;

	read_arena();

	own_page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (own_page == MAP_FAILED)
		fail("a page of the controller's own");

	CPU_ZERO(&cpus);
	CPU_SET(sched_getcpu(), &cpus);
	if (sched_setaffinity(0, sizeof cpus, &cpus) != 0)
		fail("sched_setaffinity");
	if (mmap((void *)ARENA_BASE, arena_pages * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		 0) == MAP_FAILED || munmap((void *)ARENA_BASE, arena_pages * PAGE) != 0)
		fail("the arena");
	/* Children go when they end; nobody asks for their status. */
	signal(SIGCHLD, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < MAX_PROCESSES; i++)
		if (pipe2(command_pipe[i], O_CLOEXEC) != 0 || pipe2(reply_pipe[i], O_CLOEXEC) != 0)
			fail("pipe");
}

static void send(int process, const struct command *command)
{
	if (write(command_pipe[process][1], command, sizeof *command) != sizeof *command)
		fail("a command");
}

static struct reply ask(int process, const struct command *command)
{
	struct pollfd answered = { .fd = reply_pipe[process][0], .events = POLLIN };
	struct reply reply;

	send(process, command);
	errno = 0;
	if (poll(&answered, 1, PATIENCE_MS) != 1 || read(answered.fd, &reply, sizeof reply) != sizeof reply)
		fail("a process that does not answer");
	return reply;
}

/* A process is told to end, and is waited for: its memory is gone before others can see that it has ended. */
static void end(int process, const struct command *command)
{
	struct pollfd ended = { .fd = (int)syscall(SYS_pidfd_open, pids[process], 0), .events = POLLIN };

	if (ended.fd < 0)
		fail("pidfd_open");
	send(process, command);
	errno = 0;
	if (poll(&ended, 1, PATIENCE_MS) != 1)
		fail("a process that does not end");
	close(ended.fd);
	pids[process] = 0;
}

static void report(const struct reply *step)
{
	const struct command question = { .operation = '?' };
	const char *comma = "";

	printf("{\"result\":%ld,\"value\":%u,\"contents\":[", step->result, step->value);
	for (int i = 0; i < step->content_count; i++)
		printf("%s%d", i ? "," : "", step->contents[i]);
	printf("],\"processes\":[");
	for (int i = 0; i < MAX_PROCESSES; i++) {
		struct reply core;

		if (pids[i] == 0)
			continue;
		core = ask(i, &question);
		printf("%s", comma);
		observe(stdout, i, pids[i], core.core);
		comma = ",";
	}
	printf("]}\n");
}

static void step(int process, struct command *command)
{
	struct reply reply = { 0 };

	/* Another process's memory is known by its pid. */
	if (strchr("pquv", command->operation))
		command->argument[3] = pids[command->argument[0]];

	if (command->operation == 'X') {
		end(process, command);
	} else {
		reply = ask(process, command);
		if (command->operation == 'F' && reply.result == 0) {
			pids[command->argument[0]] = (pid_t)reply.value;
			reply.value = 0;
		}
	}
	if (command->operation == 'A' && command->argument[2] == MADV_PAGEOUT)
		settle(pids[process]);
	drain_batches();
	report(&reply);
}

int main(void)
{
	struct command command = { 0 };
	long *a = command.argument;
	int process;

	prepare();
	read_swap();
	make_files();
	observe_init();
	pids[0] = fork();
	if (pids[0] < 0)
		fail("fork");
	if (pids[0] == 0)
		worker(0);
	for (int i = 0; i < MAX_PROCESSES; i++)
		close(command_pipe[i][0]);
	while (scanf("%d %c %ld %ld %ld %ld %ld %ld", &process, &command.operation, a, a + 1, a + 2, a + 3, a + 4, a + 5) ==
	       8) {
		if (process < 0 || process >= MAX_PROCESSES || pids[process] == 0)
			fail("a step of no process");
		step(process, &command);
	}
	return 0;
}
