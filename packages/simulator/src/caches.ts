// SPDX-License-Identifier: MIT

/** Machines whose caches can be simulated. */
export type CacheModel = 'altix' | 'xeon';

/** What lies within reach of a CPU at one price: the smallest group of CPUs that both belong to decides. */
export interface CacheDistance {
  /** Size of the groups, a multiple of the one before; the last one holds all 64 CPUs. */
  readonly cpus: number;
  /** ns to get a line that others have unmodified, and to have their copies taken away. */
  readonly clean: number;
  /** ns to get a line that one other CPU has modified. */
  readonly dirty: number;
}

/**
 * Every parameter of the cost of caches, in ns. They come on top of what the access costs in the CPU's own cache (cost.ts), so an access to a
 * line that the CPU has in the right state costs nothing here.
 */
export interface CacheParameters {
  readonly distances: readonly CacheDistance[];
  /** A line that nobody has, from memory. */
  readonly memory: number;
  /** For how long a line's home is busy with a request for a line that nobody has modified. A modified one keeps it busy until it has moved. */
  readonly service: number;
  /** What each copy after the first that must be taken away adds. */
  readonly invalidation: number;
}

/**
 * What the published experiments ran on, as near as published figures go, and a later machine beside it. Changing a figure changes results, no
 * behaviour.
 *
 * `altix`: a 64-way SGI Altix 3700, Itanium 2. Published (the description of the Altix "cosmos" of Texas A&M University, and SGI's of NUMAlink): two
 * CPUs on the bus of a node, two nodes in a C-brick, 8-port routers in a fat tree, directory-based invalidation, 50 ns for each router on the way and
 * back. Assumed: 145 ns to the memory of the own node, as much again for a second node, and as much once more for a third when the line is modified and its
 * home must ask the owner; 40 ns of the directory's time for a request.
 *
 * `xeon`: eight sockets of Intel Westmere-EX at 2.13 GHz, eight CPUs of each. Latencies as David, Guerraoui and Trigonakis measured them (Everything you
 * always wanted to know about synchronization but were afraid to ask, SOSP 2013, table 2), in cycles for the same die, one hop and two: 44, 223 and
 * 334 for a shared line, 109, 289 and 400 for a modified one, 355 for local memory; cited from memory of that table. Assumed: 20 ns of the home's time.
 */
export const CACHES: Readonly<Record<CacheModel, CacheParameters>> = {
  altix: {
    distances: [
      { cpus: 2, clean: 145, dirty: 145 },
      { cpus: 4, clean: 290, dirty: 435 },
      { cpus: 16, clean: 340, dirty: 485 },
      { cpus: 32, clean: 390, dirty: 535 },
      { cpus: 64, clean: 440, dirty: 585 },
    ],
    memory: 145,
    service: 40,
    invalidation: 20,
  },
  xeon: {
    distances: [
      { cpus: 8, clean: 21, dirty: 51 },
      { cpus: 32, clean: 105, dirty: 136 },
      { cpus: 64, clean: 157, dirty: 188 },
    ],
    memory: 167,
    service: 20,
    invalidation: 5,
  },
};
