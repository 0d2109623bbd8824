// SPDX-License-Identifier: GPL-2.0-only

/** Figures that somebody else published: what they are of, and where they stand. */
export interface Published {
  readonly source: string;
  readonly unit: string;
  /** By design, at each size: [at, value]. */
  readonly values: Readonly<Record<string, readonly (readonly [at: number, value: number])[]>>;
}

/**
 * Processes read-fault a cached file of 32 GB, each its part, so that the whole is the same whatever their number. `lockless`: the first patches, before
 * PG_nonewrefs.
 */
export const PUBLISHED_FAULTS: Published = {
  source: 'Nick Piggin, LKML, 27 June 2005 (42BF9CD1.2030102), 64-way Itanium Altix, 2.6.12-git4',
  unit: 's elapsed',
  values: {
    'tree-lock': [
      [1, 2.09],
      [64, 4.92],
    ],
    lockless: [
      [1, 2.04],
      [64, 0.12],
    ],
  },
};

/** The same: seconds of system time, of all processes together. */
export const PUBLISHED_FAULTS_SYSTEM: Published = {
  ...PUBLISHED_FAULTS,
  unit: 's system time',
  values: {
    'tree-lock': [
      [1, 1.43],
      [64, 291.3],
    ],
    lockless: [
      [1, 1.38],
      [64, 1.42],
    ],
  },
};

/** The read side of a cached file by splice and sendfile, one page or 16 at a time; about. */
export const PUBLISHED_GANG: Published = {
  source: 'Jens Axboe, LKML, April 2006, four clients on a 4-way Itanium',
  unit: 'GiB/s',
  values: {
    'tree-lock': [
      [1, 3],
      [16, 4],
    ],
  },
};

export const PUBLISHED_WRITERS: Published = {
  source: 'David Chinner, buffered writes on XFS, 24-CPU Altix, 2.6.15-rc5',
  unit: 'MB/s',
  values: {
    'tree-lock': [
      [1, 789.6],
      [2, 1191.6],
      [4, 1724.6],
      [8, 1213.6],
      [16, 1057.0],
      [32, 744.7],
    ],
  },
};

/** Throughput as a share of that of 2.6.5-rc1, which has chains. Objrmap: "partial" in the mail. */
export const PUBLISHED_SDET: Published = {
  source: 'Martin Bligh, SDET, 16-way NUMA-Q, March 2004 (linux-mm)',
  unit: '% of 2.6.5-rc1',
  values: {
    objrmap: [
      [1, 101.4],
      [2, 107.7],
      [4, 110.5],
      [8, 119.4],
      [16, 118.1],
    ],
    anonmm: [
      [1, 100.0],
      [2, 108.7],
      [4, 114.6],
      [8, 120.2],
      [16, 119.8],
    ],
    'anon-vma': [
      [1, 101.4],
      [2, 109.5],
      [4, 113.3],
      [8, 124.4],
      [16, 119.9],
    ],
  },
};

/** A profile of kernbench: by how much objrmap makes the functions cheaper. */
export const PUBLISHED_PROFILE = {
  source: 'Martin Bligh, profile of kernbench, 16-way NUMA-Q, March 2004 (linux-mm)',
  pageRemoveRmap: 0.904,
  pageAddRmap: 0.694,
} as const;

/** lmbench, a fork on a Pentium 4, µs: chains, and objects for files and anonymous memory. */
export const PUBLISHED_FORK = {
  source: 'Hugh Dickins, lmbench, March 2003 (linux-mm), 2.5.65-mm3, Pentium 4',
  chains: 447,
  objects: 405,
} as const;

/** A data base on eight CPUs whose threads read by direct I/O: transactions won, and what __down_read and __up_read took of the time. */
export const PUBLISHED_PINS = {
  source: 'Nick Piggin, 8174c430e445 (2.6.27): DB2 v9.5, OLTP, two quad-core Xeons, 2.6.24-rc7',
  cpus: 8,
  won: 0.098,
  inSemaphore: 0.028,
  inSemaphoreFast: 0.0005,
} as const;
