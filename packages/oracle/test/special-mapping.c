// SPDX-License-Identifier: GPL-2.0-only
// What user space sees of a special mapping, [vdso], and of memory without struct pages, [vvar]: one line for each thing that is tried, `name value...`.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096L
#define PAGES 2

static char original[PAGES][PAGE];

static char *area(const char *name)
{
	char line[256], *found = NULL;
	FILE *maps = fopen("/proc/self/maps", "r");

	while (maps && fgets(line, sizeof(line), maps)) {
		unsigned long from, to;

		if (!strstr(line, name) || sscanf(line, "%lx-%lx", &from, &to) != 2)
			continue;
		if (to - from >= PAGES * PAGE)
			found = (char *)from;
		break;
	}
	if (maps)
		fclose(maps);
	return found;
}

static int error(long result)
{
	return result < 0 ? -errno : 0;
}

/* Which page of the original a page is; -1: another. */
static int identity(const char *page)
{
	for (int i = 0; i < PAGES; i++)
		if (memcmp(page, original[i], PAGE) == 0)
			return i;
	return -1;
}

static void residency(const char *name, char *from, int pages)
{
	unsigned char resident[PAGES];
	uint64_t entries[PAGES];
	int pagemap = open("/proc/self/pagemap", O_RDONLY);

	mincore(from, pages * PAGE, resident);
	if (pread(pagemap, entries, pages * 8, (uintptr_t)from / PAGE * 8) != pages * 8)
		exit(2);
	close(pagemap);
	printf("%s", name);
	for (int i = 0; i < pages; i++)
		printf(" %d%d%d", resident[i] & 1, (int)(entries[i] >> 63), (int)(entries[i] >> 61 & 1));
	printf("\n");
}

int main(void)
{
	char *vdso = area("[vdso]"), *vvar = area("[vvar]");
	volatile char touched;

	setvbuf(stdout, NULL, _IONBF, 0);
	if (!vdso || !vvar)
		return 3;
	memcpy(original, vdso, sizeof(original));
	if (identity(vdso + PAGE) != 1)
		return 3;
	residency("read", vdso, 2);
	printf("mprotect %d\n", error(mprotect(vdso, PAGE, PROT_READ)));
	printf("dontneed %d\n", error(madvise(vdso, 2 * PAGE, MADV_DONTNEED)));
	residency("empty", vdso, 2);
	printf("again %d %d\n", identity(vdso), identity(vdso + PAGE));
	printf("munmap %d\n", error(munmap(vdso, PAGE)));
	vdso += PAGE;
	madvise(vdso, PAGE, MADV_DONTNEED);
	printf("rest %d\n", identity(vdso));
	residency("rest-seen", vdso, 1);
	printf("grow %d\n", error((long)mremap(vdso, PAGE, 2 * PAGE, MREMAP_MAYMOVE)));

	int memory = open("/proc/self/mem", O_RDWR);
	char other = ~vdso[PAGE - 1];

	printf("poke %d\n", (int)pwrite(memory, &other, 1, (uintptr_t)vdso + PAGE - 1));
	printf("poked %d\n", identity(vdso));
	residency("poked-seen", vdso, 1);
	pid_t child = fork();

	if (child == 0) {
		printf("child %d\n", identity(vdso));
		_exit(0);
	}
	waitpid(child, NULL, 0);
	printf("drop %d\n", error(madvise(vdso, PAGE, MADV_DONTNEED)));
	printf("dropped %d\n", identity(vdso));

	touched = *vvar;
	(void)touched;
	residency("device", vvar, 1);
	printf("device-dontneed %d\n", error(madvise(vvar, PAGE, MADV_DONTNEED)));
	printf("device-mlock %d\n", error(mlock(vvar, PAGE)));
	printf("device-grow %d\n", error((long)mremap(vvar, PAGE, 2 * PAGE, MREMAP_MAYMOVE)));
	char bytes[16];
	struct iovec to = { bytes, sizeof(bytes) }, from = { vvar, sizeof(bytes) };

	printf("device-gup %d\n", error(process_vm_readv(getpid(), &to, 1, &from, 1, 0)));
	return 0;
}
