// SPDX-License-Identifier: MIT

import { PAGE_SIZE } from '../codec.js';
import { RecorderError } from '../error.js';
import type { Exec, Fork, Open, Rec } from '../format.js';
import { translateCall } from './calls.js';
import type { Description } from './descriptors.js';
import { DescriptorTable } from './descriptors.js';
import type { FileTable, TrackedFile } from './files.js';
import { openFlags } from './flags.js';
import type { ExecImage } from './image.js';
import { imageMaps } from './image.js';
import type { Inherited } from './launch.js';
import { FORKS, rssRecords, Spaces } from './spaces.js';
import type { StraceCall, StraceLog } from './strace-log.js';
import { suspectedFile } from './suspect.js';
import { NOT_FOLLOWED, STRACED, syscallName } from './syscalls.js';
import type { CallContext, Draft, OpenCall, Space, Thread } from './tasks.js';
import type { TraceEvent } from './trace-events.js';

type Event<N extends TraceEvent['name']> = Extract<TraceEvent, { name: N }>;

const CLONE_VM = 0x100;
const CLONE_FS = 0x200;
const CLONE_FILES = 0x400;
const CLONE_VFORK = 0x4000;
const CLONE_THREAD = 0x10000;

export interface AssemblyInput {
  rootTid: number;
  cwd: string;
  files: FileTable;
  strace: StraceLog;
  /** Memory maps after each successful exec, in order, per process. */
  images: Map<number, ExecImage[]>;
  inherited: Inherited[];
}

/** Makes records of trace events, in order of time. */
export class Assembly {
  readonly drafts: Draft[] = [];
  readonly threads: Map<number, Thread> = new Map();
  readonly spaces: Spaces = new Spaces();
  readonly notFollowed: Map<string, number> = new Map();
  readonly #input: AssemblyInput;
  /** The opens of what the program starts with; they follow its first exec. */
  readonly #inherited: Open[] = [];
  /** Grows by 4 with each event: the order key of an event's records; the numbers between are for what comes with them. */
  #key = 0;
  #ofds = 0;
  #pipes = 0;

  constructor(input: AssemblyInput) {
    this.#input = input;
    const space = this.spaces.make(input.rootTid, 'exec');
    const descriptors = new DescriptorTable();
    for (const { fd, path, offset, flags } of input.inherited) {
      const file = input.files.opened(path, false);
      if (!file) continue;
      const description = this.#describe(file, { append: openFlags(flags).includes('append') });
      description.offset = offset;
      descriptors.set(fd, description, false);
      const { id: ofd } = description;
      const at = { tid: input.rootTid, start: 0, end: 0 };
      this.#inherited.push({
        kind: 'open',
        ...at,
        ofd,
        file: file.id,
        flags: openFlags(flags),
        size: file.size,
        buffers: [],
      });
    }
    this.#born(input.rootTid, { pid: input.rootTid, space, descriptors, cwd: { path: input.cwd } }, 0);
  }

  push(event: TraceEvent): void {
    this.#key += 4;
    const thread = this.threads.get(event.tid);
    if (!thread) return;
    thread.comm = event.comm;
    thread.end = event.time;
    switch (event.name) {
      case 'enter':
        return this.#enter(thread, event);
      case 'leave':
        return this.#leave(thread, event);
      case 'fault':
        return this.#fault(thread, event);
      case 'rss':
        return this.#emit(this.spaces.rss(thread, event));
      case 'new-task':
        return this.#newTask(thread, event);
      case 'prepare-exec':
        return this.#replaceImage(thread, event.time);
      case 'exec':
        return this.#executed(thread, event);
      case 'exit':
        return this.#exit(thread, event);
      default:
        return this.#pageCache(thread, event);
    }
  }

  #emit(record: Rec | null, key: number = this.#key + 2): void {
    if (record) this.drafts.push({ key, record });
  }

  #born(tid: number, task: Pick<Thread, 'pid' | 'space' | 'descriptors' | 'cwd'>, start: number): void {
    const rest = { comm: '', start, end: start, call: null, lastFault: -1, exit: null, straced: 0 };
    task.space.users++;
    this.threads.set(tid, { tid, ...task, ...rest });
  }

  #describe(file: TrackedFile | null, options: { append?: boolean; pipe?: number } = {}): Description {
    const id = file ? this.#ofds++ : -1;
    return { id, file, pipe: options.pipe ?? null, offset: 0, append: options.append ?? false, references: 0 };
  }

  #enter(thread: Thread, event: Event<'enter'>): void {
    const name = syscallName(event.nr);
    thread.call = {
      name,
      nr: event.nr,
      args: event.args,
      start: event.time,
      key: this.#key,
      touched: false,
      making: null,
      replaced: null,
      fork: null,
    };
    if (NOT_FOLLOWED.has(name)) this.notFollowed.set(name, (this.notFollowed.get(name) ?? 0) + 1);
  }

  #leave(thread: Thread, event: Event<'leave'>): void {
    const call = thread.call;
    thread.call = null;
    // A new thread's first event leaves the clone it never entered; rt_sigreturn leaves as number -1.
    if (!call || event.nr === -1) return;
    if (call.nr !== event.nr) {
      throw new RecorderError(
        'trace-mismatch',
        `thread ${thread.tid} entered ${call.name} and left ${syscallName(event.nr)}`,
      );
    }
    const strace = STRACED.has(call.name) ? this.#strace(thread, call.name) : null;
    if (call.fork) call.fork.end = event.time;
    else if (call.replaced) this.#completeExec(thread, call, event.time);
    else if (FORKS.has(call.name)) return;
    else this.#translate(thread, call, event, strace);
  }

  /** The n-th straced call of a thread in tracefs is the n-th in strace's log. */
  #strace(thread: Thread, name: string): StraceCall {
    const call = this.#input.strace.calls.get(thread.tid)?.[thread.straced++];
    if (call?.name !== name) {
      const where = `call ${thread.straced} of thread ${thread.tid}`;
      throw new RecorderError(
        'trace-mismatch',
        `${where}: tracefs says ${name}, strace says ${call?.name ?? 'nothing'}`,
      );
    }
    return call;
  }

  #translate(thread: Thread, call: OpenCall, event: Event<'leave'>, strace: StraceCall | null): void {
    // Results from ERESTARTSYS on never reach the program: the call is restarted, or returns EINTR.
    const result = event.result <= -512 && event.result >= -516 ? -4 : event.result;
    const context: CallContext = {
      name: call.name,
      args: call.args,
      result,
      strace,
      thread,
      files: this.#input.files,
      span: { tid: thread.tid, start: call.start, end: event.time },
      describe: (file, options) => this.#describe(file, options),
      nextPipe: () => this.#pipes++,
      release: (...gone) => this.#release(thread.tid, call.start, call.key + 1, gone),
    };
    for (const record of translateCall(context, call.touched)) this.#emit(record, call.key);
  }

  #release(tid: number, start: number, key: number, gone: (Description | null)[]): void {
    for (const description of gone)
      if (description?.file) this.#emit({ kind: 'close', tid, start, ofd: description.id }, key);
  }

  #fault(thread: Thread, event: Event<'fault'>): void {
    const page = Math.floor(event.address / PAGE_SIZE);
    if (event.kernel && thread.call) thread.call.touched = true;
    thread.lastFault = page;
    const access = event.error & 2 ? 'write' : event.error & 16 ? 'exec' : 'read';
    const present = (event.error & 1) !== 0;
    this.#emit({ kind: 'touch', tid: thread.tid, start: event.time, page, access, kernel: event.kernel, present });
  }

  #newTask(parent: Thread, event: Event<'new-task'>): void {
    const call = parent.call;
    if (!call) return;
    const { child, flags } = event;
    const pid = flags & CLONE_THREAD ? parent.pid : child;
    const space = flags & CLONE_VM ? parent.space : (call.making ?? this.spaces.make(pid, 'fork'));
    const descriptors = flags & CLONE_FILES ? parent.descriptors : parent.descriptors.copy();
    if (flags & CLONE_FILES) descriptors.users++;
    const cwd = flags & CLONE_FS ? parent.cwd : { ...parent.cwd };
    this.#born(child, { pid, space, descriptors, cwd }, event.time);
    const shares: Fork['shares'] = [];
    if (flags & CLONE_VM) shares.push('vm');
    if (flags & CLONE_FILES) shares.push('files');
    if (flags & CLONE_THREAD) shares.push('thread');
    if (flags & CLONE_VFORK) shares.push('vfork');
    const fork: Fork = {
      kind: 'fork',
      tid: parent.tid,
      start: call.start,
      end: event.time,
      child,
      childPid: pid,
      space: space.id,
      shares,
    };
    call.fork = fork;
    this.#emit(fork, call.key);
    if (flags & CLONE_VM) return;
    space.pid = pid;
    space.start = event.time;
    for (const record of rssRecords(parent.tid, event.time, space)) this.#emit(record);
  }

  /** The new image takes the old one's place. From here on the thread's faults belong to the new one. */
  #replaceImage(thread: Thread, time: number): void {
    const call = thread.call;
    if (!call || call.replaced) return;
    const space: Space = call.making ?? this.spaces.make(thread.pid, 'exec');
    call.replaced = { key: this.#key, time };
    this.spaces.leave(thread.space, time);
    space.users = 1;
    space.start = time;
    thread.space = space;
    const mine = thread.descriptors.users > 1 ? thread.descriptors.copy() : thread.descriptors;
    if (mine !== thread.descriptors) thread.descriptors.users--;
    thread.descriptors = mine;
    this.#release(thread.tid, time, this.#key + 1, mine.closeOnExec());
    for (const record of rssRecords(thread.tid, time, space)) this.#emit(record, this.#key + 1);
  }

  #executed(thread: Thread, event: Event<'exec'>): void {
    if (event.oldTid !== thread.tid) {
      throw new RecorderError(
        'failed',
        `exec by thread ${event.oldTid}, which is not its process's first, cannot be recorded`,
      );
    }
    // Kernels before 6.10 do not say when the image was replaced, so this is the nearest they tell.
    this.#replaceImage(thread, event.time);
  }

  #completeExec(thread: Thread, call: OpenCall, end: number): void {
    const image = this.#input.images.get(thread.tid)?.shift();
    if (!image || !call.replaced) {
      const cause = `the memory map of process ${thread.tid} after its exec was not caught in time`;
      throw new RecorderError('missed-exec', `${cause}; record with a longer execDelay`);
    }
    const { time: start, key } = call.replaced;
    const { file, maps } = imageMaps(image, this.#input.files);
    const exec: Exec = {
      kind: 'exec',
      tid: thread.tid,
      start,
      end,
      file,
      space: thread.space.id,
      brk: image.brk,
      maps,
    };
    this.#emit(exec, key);
    for (const open of this.#inherited.splice(0)) this.#emit({ ...open, start, end: start }, key + 1);
  }

  #exit(thread: Thread, event: Event<'exit'>): void {
    thread.exit = { key: this.#key, time: event.time, last: event.groupDead };
    this.spaces.leave(thread.space, event.time);
    if (--thread.descriptors.users > 0) return;
    const gone = thread.descriptors.closeRange(0, Number.POSITIVE_INFINITY);
    this.#release(thread.tid, event.time, this.#key + 3, gone);
  }

  #pageCache(thread: Thread, event: Event<'added' | 'removed' | 'map-around' | 'file-fault'>): void {
    const file = this.#input.files.byInode(event.device, event.inode, suspectedFile(thread)).id;
    const at = { tid: thread.tid, start: event.time, file };
    if (event.name === 'map-around') this.#emit({ kind: event.name, ...at, first: event.first, last: event.last });
    else if (event.name === 'file-fault') this.#emit({ kind: event.name, ...at, index: event.index });
    else this.#emit({ kind: event.name, ...at, index: event.index, pages: event.pages });
  }
}
