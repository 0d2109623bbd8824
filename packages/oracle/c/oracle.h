// SPDX-License-Identifier: GPL-2.0-only
#ifndef ORACLE_H
#define ORACLE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

/* As packages/oracle/src/script.ts has them. The arena lies below everything that a process has of its own. */
/* Of scripts with huge pages; others have 64. */
#define MAX_ARENA_PAGES 1536
#define ARENA_BASE 0x10000000000UL
#define PAGE 4096UL
#define MAX_PROCESSES 4
#define MAX_FILES 4
#define SWAP_PAGES 1023
#define ARGUMENTS 6

/* One step of a script, or the controller's question for mincore ('?'). Addresses and lengths in pages, addresses from the arena's begin. */
struct command {
	char operation;
	long argument[ARGUMENTS];
};

struct reply {
	/* 0, -errno, or of a touch the number of the signal. */
	long result;
	/* What was read; the child's pid. */
	unsigned value;
	unsigned char core[MAX_ARENA_PAGES];
	/* What `contents` saw: values, or minus the signal that a read ended in. */
	int contents[MAX_ARENA_PAGES];
	int content_count;
};

struct script_file {
	int fd;
	/* Else in memory. */
	bool on_disk;
	dev_t device;
	ino_t inode;
};

/* Pages of the arena. */
extern long arena_pages;
extern struct script_file files[MAX_FILES];
extern int file_count;
/* Of each process the ends of its two pipes: commands to it, replies from it. */
extern int command_pipe[MAX_PROCESSES][2];
extern int reply_pipe[MAX_PROCESSES][2];

/* The swap area of the script; empty: none. */
extern char swap_path[4096];
/* Of swapon(2): before any other area, so that the script's pages go to this one. */
#define SWAP_PRIORITY 32767

void fail(const char *what) __attribute__((noreturn));
void worker(int process) __attribute__((noreturn));
/* Opens kpagecount and kpageflags. */
void observe_init(void);
/* Prints what /proc says of the arena of one process, as a JSON object. */
void observe(FILE *out, int process, pid_t pid, const unsigned char *core);
/* The flags that kpageflags has of a page of the caller's own memory; 0 where nothing is present. */
uint64_t own_page_flags(const void *address);
/* Takes back what the process's MADV_PAGEOUT left of pages of files. */
void settle(pid_t pid);

#endif
