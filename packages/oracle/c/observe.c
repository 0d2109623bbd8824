// SPDX-License-Identifier: GPL-2.0-only
/* What /proc says of a process: its areas (smaps), its pages (pagemap), their frames (kpagecount, kpageflags). */
#define _GNU_SOURCE
#include "oracle.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define PRESENT (1ULL << 63)
#define SWAPPED (1ULL << 62)
#define PFN_MASK ((1ULL << 55) - 1)
/* From here on flags of kpageflags are for kernel hackers, and mean other things in other kernels. */
#define STABLE_FLAGS ((1ULL << 32) - 1)
#define RETRIES 8

static int kpagecount, kpageflags, own_pagemap;

/* The fields of smaps that are compared, in the order in which src/kernel.ts reads them. */
static const char *const fields[] = {
	"Rss", "Pss", "Pss_Dirty", "Shared_Clean", "Shared_Dirty", "Private_Clean", "Private_Dirty", "Anonymous", "Locked",
	"Swap", "SwapPss", "LazyFree", "AnonHugePages",
};
#define FIELDS (sizeof fields / sizeof *fields)

struct area {
	unsigned long start, end, offset;
	char rights[5];
	unsigned major, minor;
	unsigned long inode;
	char vm_flags[160];
	unsigned long kilobytes[FIELDS];
};

void observe_init(void)
{
	kpagecount = open("/proc/kpagecount", O_RDONLY | O_CLOEXEC);
	kpageflags = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	own_pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	if (kpagecount < 0 || kpageflags < 0 || own_pagemap < 0)
		fail("/proc/kpagecount, /proc/kpageflags, /proc/self/pagemap");
}

static FILE *open_proc(pid_t pid, const char *name)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
	file = fopen(path, "re");
	if (!file)
		fail(path);
	return file;
}

static uint64_t word(int fd, uint64_t index)
{
	uint64_t value = 0;

	if (pread(fd, &value, sizeof value, index * sizeof value) != sizeof value)
		fail("a word of /proc");
	return value;
}

uint64_t own_page_flags(const void *address)
{
	uint64_t entry = word(own_pagemap, (uintptr_t)address / PAGE);

	return entry & PRESENT ? word(kpageflags, entry & PFN_MASK) : 0;
}

/* -1: anonymous memory; -2: shared anonymous memory, a file that has no name; else the script's number. */
static int file_of(const struct area *area)
{
	if (area->inode == 0)
		return -1;
	for (int i = 0; i < file_count; i++)
		if (files[i].inode == area->inode && files[i].device == makedev(area->major, area->minor))
			return i;
	return -2;
}

static int read_areas(pid_t pid, struct area *areas)
{
	FILE *smaps = open_proc(pid, "smaps");
	char line[512];
	int count = 0;
	struct area *current = NULL;

	while (fgets(line, sizeof line, smaps)) {
		struct area next = { 0 };
		char name[32];
		unsigned long value;

		if (sscanf(line, "%lx-%lx %4s %lx %x:%x %lu", &next.start, &next.end, next.rights, &next.offset, &next.major,
			   &next.minor, &next.inode) == 7) {
			if (next.start >= ARENA_BASE + arena_pages * PAGE)
				break;
			current = NULL;
			if (next.start < ARENA_BASE)
				continue;
			current = &areas[count++];
			*current = next;
		} else if (current && sscanf(line, "VmFlags: %159[a-z ]", current->vm_flags) == 1) {
			continue;
		} else if (current && sscanf(line, "%31[^:]: %lu kB", name, &value) == 2) {
			for (size_t i = 0; i < FIELDS; i++)
				if (strcmp(name, fields[i]) == 0)
					current->kilobytes[i] = value;
		}
	}
	fclose(smaps);
	return count;
}

static void print_page(FILE *out, int pagemap, unsigned long page, unsigned core)
{
	uint64_t index = ARENA_BASE / PAGE + page;
	uint64_t entry = word(pagemap, index);
	uint64_t count = 0, flags = 0, again;

	/* A frame may become another's between the reads: the same question a second time, as everywhere in this project. */
	for (int i = 0; i < RETRIES && (entry & PRESENT); i++) {
		count = word(kpagecount, entry & PFN_MASK);
		flags = word(kpageflags, entry & PFN_MASK);
		again = word(pagemap, index);
		if (again == entry)
			break;
		entry = again;
		count = flags = 0;
	}
	fprintf(out, "[%lu,%u,%llu,%llu,%llu,%u]", page, (unsigned)(entry >> 55),
		(unsigned long long)(entry & (PRESENT | SWAPPED) ? entry & PFN_MASK : 0), (unsigned long long)count,
		(unsigned long long)(flags & STABLE_FLAGS), core);
}

void observe(FILE *out, int process, pid_t pid, const unsigned char *core)
{
	struct area areas[MAX_ARENA_PAGES];
	int count = read_areas(pid, areas);
	FILE *pagemap = open_proc(pid, "pagemap");
	const char *comma = "";

	fprintf(out, "{\"process\":%d,\"areas\":[", process);
	for (int i = 0; i < count; i++) {
		const struct area *a = &areas[i];

		fprintf(out, "%s[%lu,%lu,\"%s\",%lu,%d,\"%s\"", i ? "," : "", (a->start - ARENA_BASE) / PAGE,
			(a->end - ARENA_BASE) / PAGE, a->rights, a->offset / PAGE, file_of(a), a->vm_flags);
		for (size_t k = 0; k < FIELDS; k++)
			fprintf(out, ",%lu", a->kilobytes[k]);
		fprintf(out, "]");
	}
	fprintf(out, "],\"pages\":[");
	for (int i = 0; i < count; i++) {
		unsigned long end = (areas[i].end - ARENA_BASE) / PAGE;

		for (unsigned long page = (areas[i].start - ARENA_BASE) / PAGE; page < end; page++, comma = ",") {
			fprintf(out, "%s", comma);
			print_page(out, fileno(pagemap), page, core[page]);
		}
	}
	fprintf(out, "]}");
	fclose(pagemap);
}
