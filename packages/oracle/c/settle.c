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
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define WRITE_POLL_US 100
#define WRITE_PATIENCE 500
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

/*
 * A file of the script by the script's descriptor: ext4 writes a file that was truncated to nothing when any descriptor of it is closed.
 */
static void settle_mapping(int folder, const char *name)
{
	unsigned long start, end;
	struct stat stat;

	if (sscanf(name, "%lx-%lx", &start, &end) != 2 || start < ARENA_BASE || end > ARENA_BASE + arena_pages * PAGE)
		return;
	if (fstatat(folder, name, &stat, 0) != 0)
		fail(name);
	for (int i = 0; i < file_count; i++)
		if (files[i].inode == stat.st_ino && files[i].device == stat.st_dev) {
			if (files[i].on_disk)
				unmark(files[i].fd);
			return;
		}
}

/*
 * Until what went to swap is written: before, its place cannot be freed when the page comes back. The pages are nobody's and cannot be asked; so this
 * waits for a moment at which the disk writes nothing, though not for ever, as others write too.
 */
static void wait_for_swap(void)
{
	char path[64];
	struct stat stat_of_swap;
	unsigned reads, writes = 1;

	if (stat(swap_path, &stat_of_swap) != 0)
		fail(swap_path);
	snprintf(path, sizeof path, "/sys/dev/block/%u:%u/inflight", major(stat_of_swap.st_dev), minor(stat_of_swap.st_dev));
	for (int i = 0; i < WRITE_PATIENCE && writes > 0; i++) {
		FILE *file = fopen(path, "re");

		if (!file || fscanf(file, "%u %u", &reads, &writes) != 2)
			fail(path);
		fclose(file);
		if (writes > 0)
			usleep(WRITE_POLL_US);
	}
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
	wait_for_swap();
}
