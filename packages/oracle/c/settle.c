// SPDX-License-Identifier: GPL-2.0-only
/*
 * Takes back what MADV_PAGEOUT left of files' pages that it met dirty, without another change that can be seen:
 *
 * Pages on a disk stay, marked to be reclaimed once they are written (PG_reclaim). The same bit says "read ahead from here" (PG_readahead), so a pread
 * of such a page brings the pages behind it, even after POSIX_FADV_RANDOM, when the disk has them; and a fault beside it passes it by. To dirty
 * it once more takes the mark off: who writes to a page does not want it reclaimed.
 *
 * Pages in memory are in swap. To read them brings them back, not mapped.
 */
#define _GNU_SOURCE
#include "oracle.h"
#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define KPF_DIRTY (1ULL << 4)
#define KPF_RECLAIM (1ULL << 9)

static void unmark(int fd)
{
	struct stat stat;
	long pages;
	volatile unsigned *words;

	if (fstat(fd, &stat) != 0)
		fail("fstat");
	pages = stat.st_size / PAGE;
	if (pages == 0)
		return;
	words = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (words == MAP_FAILED || madvise((void *)words, pages * PAGE, MADV_RANDOM) != 0)
		fail("a file of the script");
	for (long i = 0; i < pages; i++) {
		volatile unsigned *word = words + i * (PAGE / sizeof *words);
		unsigned char core;
		unsigned value;

		if (mincore((void *)word, PAGE, &core) != 0)
			fail("mincore");
		if (!(core & 1))
			continue;
		value = *word;
		if ((own_page_flags((const void *)word) & (KPF_DIRTY | KPF_RECLAIM)) == (KPF_DIRTY | KPF_RECLAIM))
			*word = value;
	}
	munmap((void *)words, pages * PAGE);
}

static void bring_back(int fd)
{
	off_t at = 0;
	char byte;

	/* What is in swap is data, and holes stay holes. */
	for (; (at = lseek(fd, at, SEEK_DATA)) >= 0; at += PAGE)
		if (pread(fd, &byte, 1, at) != 1)
			fail("a page of a file in memory");
}

static void settle_mapping(int folder, const char *name)
{
	struct statfs file_system;
	unsigned long start, end;
	int fd;

	if (sscanf(name, "%lx-%lx", &start, &end) != 2 || start < ARENA_BASE || end > ARENA_BASE + ARENA_PAGES * PAGE)
		return;
	fd = openat(folder, name, O_RDWR | O_CLOEXEC);
	if (fd < 0 || fstatfs(fd, &file_system) != 0)
		fail(name);
	if (file_system.f_type == TMPFS_MAGIC)
		bring_back(fd);
	else
		unmark(fd);
	close(fd);
}

/* Of all that the process has mapped: what is not mapped was not paged out. */
void settle(pid_t pid)
{
	char path[64];
	DIR *folder;

	snprintf(path, sizeof path, "/proc/%d/map_files", pid);
	folder = opendir(path);
	if (!folder)
		fail(path);
	for (struct dirent *entry; (entry = readdir(folder));)
		settle_mapping(dirfd(folder), entry->d_name);
	closedir(folder);
}
