// SPDX-License-Identifier: MIT

/**
 * The outcome of one simulated run: what `lockless run --json` prints. Counts are events; sizes are pages of 4096 bytes unless a name
 * says otherwise; `time` is virtual nanoseconds, `recordedTime` microseconds on the real machine.
 */
export interface RunResult {
  readonly recording: RecordingSummary;
  readonly configuration: RunConfiguration;
  /** Ends of the run, best first. */
  readonly verdict: 'holds' | 'violated' | 'bounded' | 'interrupted';
  /** Why, when it does not hold. */
  readonly violation: ViolationReport | null;
  /** Recorded operations replayed (system calls, page touches, process events), and all there were. */
  readonly operations: number;
  readonly operationsTotal: number;
  /** Shared-memory accesses executed. */
  readonly accesses: number;
  /** Virtual time at the end, ns. */
  readonly time: number;
  /** Wall-clock seconds. */
  readonly seconds: number;
  readonly processes: readonly ProcessResult[];
  readonly files: readonly FileResult[];
  readonly memory: MemoryResult;
  readonly machine: MachineResult;
  readonly comparison: Comparison;
  readonly invariants: readonly InvariantResult[];
  readonly timeline: Timeline;
  /** A shell command that repeats this run exactly. */
  readonly replay: string;
}

export interface RecordingSummary {
  readonly path: string;
  readonly command: readonly string[];
  readonly kernel: string;
  readonly threads: number;
  readonly processes: number;
}

export interface RunConfiguration {
  readonly cpus: number;
  /** Pages of simulated memory. */
  readonly memoryPages: number;
  /** Places of the swap area; 0: none. */
  readonly swapPages: number;
  readonly seed: number;
  readonly model: 'sc' | 'tso' | 'weak';
  readonly scheduler: string;
  readonly generation: string;
  /** Reverse mapping. */
  readonly rmap: string;
  /** Where faults map huge pages, unless nowhere. */
  readonly thp?: string;
  /** How references to their tails are counted, where there are huge pages. */
  readonly thpTails?: string;
  /** How the kernel is built: `smp`, `up-preempt`, `up`. */
  readonly build: string;
  readonly inject: Readonly<Record<string, number>>;
  /** Guards that were left out. */
  readonly without: readonly string[];
}

export interface ViolationReport {
  /** Stable kind, for example `use-after-free` or the invariant's name. */
  readonly kind: string;
  readonly message: string;
  readonly cpu: number;
  readonly task: string;
  /** What every context was doing: those of each CPU, topmost first, then tasks on no CPU (`cpu` is -1). */
  readonly stacks: readonly ContextStack[];
  readonly time: number;
}

export interface ContextStack {
  readonly cpu: number;
  /** Task name, or `interrupt`, `softirq`, ... */
  readonly task: string;
  /** How it stands, for example `running`, `spins on page.lock`, `sleeps`. */
  readonly status?: string;
  /** Kernel functions, innermost first, as `findGetPage (filemap.ts:142)`. */
  readonly frames: readonly string[];
}

/** Page faults by kind. `cow` is every write that met a page it must not write: copies, reuse, private file pages. */
export interface FaultCounts {
  /** Anonymous memory, first touch (zero page or fresh page). */
  readonly anonymous: number;
  /** File memory, read or shared. */
  readonly file: number;
  readonly cow: number;
  /** First write to a clean shared file page. */
  readonly mkwrite: number;
  readonly total: number;
}

export interface RssPages {
  readonly file: number;
  readonly anon: number;
}

/** One address space of one process (a process that calls exec has one before and one after). */
export interface ProcessResult {
  readonly pid: number;
  readonly space: number;
  readonly comm: string;
  readonly born: 'exec' | 'fork';
  readonly faults: { readonly simulated: FaultCounts; readonly real: FaultCounts };
  /** Faults that needed the disk, simulated. */
  readonly majorFaults: number;
  /** Resident pages just before the space went; real is null when the recording does not know. */
  readonly rssAtExit: { readonly simulated: RssPages | null; readonly real: RssPages | null };
  readonly rssPeak: { readonly simulated: RssPages; readonly real: RssPages };
  /** Exit code the replay saw, or null when it still ran. */
  readonly exit: number | null;
}

export interface FileResult {
  readonly id: number;
  readonly path: string;
  /** `regular`; pages of other kinds (directories, block devices, tmpfs) enter the real page cache only. */
  readonly kind: string;
  readonly inode: number;
  readonly sizeBytes: number;
  /** In the page cache before the program started. */
  readonly cachedBefore: number;
  /** Distinct page indexes that entered the page cache during the run. */
  readonly added: { readonly simulated: number; readonly real: number; readonly both: number };
  readonly removed: { readonly simulated: number; readonly real: number };
  /** Lookups that found the page, and that did not. */
  readonly hits: number;
  readonly misses: number;
  readonly cachedAtEnd: number;
}

export interface MemoryResult {
  /** Pages by state at the end. */
  readonly zone: Readonly<Record<string, number>>;
  /** vmstat-like events of the simulated kernel. */
  readonly events: Readonly<Record<string, number>>;
  readonly reclaim: {
    readonly scanned: number;
    readonly reclaimed: number;
    readonly kswapdWakeups: number;
    readonly directReclaims: number;
  };
  /** Pages read from and written to the swap area. */
  readonly swap: { readonly pagesIn: number; readonly pagesOut: number };
  readonly lookups: {
    readonly total: number;
    readonly hits: number;
    readonly misses: number;
    readonly speculativeRetries: number;
  };
  readonly rcu: { readonly gracePeriods: number; readonly callbacks: number };
  readonly reverseMapping: ReverseMappingResult;
  /** Lowest number of free pages seen. */
  readonly lowestFree: number;
  /** Contents checked: file pages read back and anonymous pages read back, and how many were wrong. */
  readonly contents: { readonly fileReads: number; readonly anonymousReads: number; readonly wrong: number };
}

/** What the reverse mapping took of memory when that was most, as seen after operations. */
export interface ReverseMappingResult {
  readonly pteChains: number;
  readonly anonVmas: number;
  /** On a 32-bit machine: the objects, and what each area is larger by. */
  readonly bytes: number;
}

export interface MachineResult {
  readonly contextSwitches: number;
  readonly interrupts: number;
  readonly staleLoads: number;
  readonly bufferedStores: number;
  readonly lockContentions: number;
  /** Injected faults by kind. */
  readonly injected: Readonly<Record<string, number>>;
  /** System calls that ended in an error the recording did not have (injected faults, memory pressure), by call and errno. */
  readonly newErrors: Readonly<Record<string, number>>;
  readonly diskReads: number;
  readonly diskWrites: number;
  /** What a guest's MMU did, if there was one: shadow entries made, how many of them for huge pages, and so on. */
  readonly guest?: Readonly<Record<string, number>>;
}

/** Simulated against real. `agreement` is 1 when equal: sum of minima over sum of maxima, item by item. */
export interface Comparison {
  readonly measures: readonly Measure[];
  readonly differences: readonly Difference[];
}

export interface Measure {
  /** For example `faults.anonymous`, `pagecache.added`, `rss.file.exit`, `rss.anon.overTime`. */
  readonly name: string;
  readonly title: string;
  readonly simulated: number;
  readonly real: number;
  /** 0 to 1. */
  readonly agreement: number;
  /** Items compared (processes, files, samples). */
  readonly items: number;
}

/** A difference of one item, with the documented cause (docs/differences.md), or `unexplained`. */
export interface Difference {
  readonly measure: string;
  /** Process or file. */
  readonly item: string;
  readonly simulated: number;
  readonly real: number;
  readonly cause: string;
}

export interface InvariantResult {
  readonly name: string;
  readonly checked: number;
  readonly violations: number;
}

/** Samples along the run, equally spaced in replayed operations. All arrays have the same length. */
export interface Timeline {
  /** Virtual ns. */
  readonly time: readonly number[];
  /** Replayed operations. */
  readonly operations: readonly number[];
  readonly free: readonly number[];
  readonly fileCache: readonly number[];
  readonly anonymous: readonly number[];
  readonly dirty: readonly number[];
  readonly writeback: readonly number[];
  readonly gracePeriods: readonly number[];
  readonly faults: readonly number[];
  /** Resident pages per address space, simulated and real at the same point of the recording. */
  readonly spaces: readonly {
    readonly space: number;
    readonly label: string;
    readonly simulated: readonly (number | null)[];
    readonly real: readonly (number | null)[];
  }[];
  /** What ran on each CPU: task name by [cpu], from-to in virtual ns; at most some thousand slices. */
  readonly cpus: readonly {
    readonly cpu: number;
    readonly slices: readonly { readonly from: number; readonly to: number; readonly task: string }[];
  }[];
}
