// SPDX-License-Identifier: MIT
/*
 * Four threads that share files: one appends to a log, one maps and truncates a table that the others read, one reads the
 * table through its descriptor, one makes, fills and unlinks temporary files. Part of the recording sqlite-threads.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAGE = 4096, TABLE = 64, ROUNDS = 6 };

static int table;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void must(int ok, const char *what)
{
	if (!ok) {
		perror(what);
		exit(1);
	}
}

/* Appends records and makes them durable now and then. */
static void *append_log(void *unused)
{
	char record[1500];
	int log = open("log", O_WRONLY | O_CREAT | O_APPEND, 0644);

	must(log >= 0, "log");
	memset(record, 'l', sizeof(record));
	for (int i = 0; i < 40; i++) {
		must(write(log, record, sizeof(record)) == sizeof(record), "append");
		if (i % 16 == 15)
			must(fdatasync(log) == 0, "fdatasync");
	}
	close(log);
	return unused;
}

/* Writes the table through a shared mapping, shrinks the file and grows it again. */
static void *map_table(void *unused)
{
	for (int round = 0; round < ROUNDS; round++) {
		pthread_mutex_lock(&lock);
		must(ftruncate(table, TABLE * PAGE) == 0, "grow");
		char *map = mmap(NULL, TABLE * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, table, 0);

		must(map != MAP_FAILED, "mmap");
		for (int page = round; page < TABLE; page += 3)
			map[page * PAGE + round] = (char)round;
		must(msync(map, TABLE * PAGE, MS_SYNC) == 0, "msync");
		must(munmap(map, TABLE * PAGE) == 0, "munmap");
		must(ftruncate(table, TABLE / 2 * PAGE + 100) == 0, "shrink");
		pthread_mutex_unlock(&lock);
		usleep(300);
	}
	return unused;
}

/* Reads the table, past its end too, and looks at it through a private mapping. */
static void *read_table(void *unused)
{
	char buffer[3 * PAGE];

	for (int i = 0; i < 48; i++) {
		off_t at = (off_t)(i * 7 % TABLE) * PAGE + 10;

		must(pread(table, buffer, sizeof(buffer), at) >= 0, "pread");
		if (i % 12 == 5) {
			pthread_mutex_lock(&lock);
			char *map = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, table, 0);

			must(map != MAP_FAILED, "mmap private");
			map[0] = map[PAGE] + 1;
			munmap(map, 8 * PAGE);
			pthread_mutex_unlock(&lock);
		}
	}
	return unused;
}

/* Temporary files: written, read back, truncated, unlinked while open. */
static void *temporary_files(void *unused)
{
	char *block = malloc(10 * PAGE);

	memset(block, 't', 10 * PAGE);
	for (int i = 0; i < 8; i++) {
		char name[16];

		snprintf(name, sizeof(name), "tmp%d", i);
		int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);

		must(fd >= 0, name);
		must(write(fd, block, 10 * PAGE) == 10 * PAGE, "write");
		must(unlink(name) == 0, "unlink");
		must(ftruncate(fd, 5 * PAGE) == 0, "ftruncate");
		must(pread(fd, block, 10 * PAGE, 0) == 5 * PAGE, "pread back");
		must(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0, "fadvise");
		close(fd);
	}
	free(block);
	return unused;
}

int main(void)
{
	void *(*work[])(void *) = { append_log, map_table, read_table, temporary_files };
	pthread_t threads[4];

	table = open("table", O_RDWR | O_CREAT, 0644);
	must(table >= 0, "table");
	for (int i = 0; i < 4; i++)
		must(pthread_create(&threads[i], NULL, work[i], NULL) == 0, "pthread_create");
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	close(table);
	return 0;
}
