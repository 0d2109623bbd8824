// SPDX-License-Identifier: MIT
import type { Heap, KmemCache, Op, Ptr } from '@lockless/cpu';
import { kmemCacheCreate, TaskStruct } from '@lockless/cpu';
import type { Memory } from './memory/memory.js';
import { Context, Task } from './task.js';

const taskStructs: KmemCache<TaskStruct> = kmemCacheCreate(TaskStruct);
/** A dead task's struct is left alone until so many others died: who woke it last may still look at it. */
const KEPT_DEAD = 256;

export interface TaskOptions {
  /** The one CPU it may run on. */
  readonly cpu?: number;
  /** Default: the next free number. */
  readonly pid?: number;
  /** Default: its pid. */
  readonly tgid?: number;
  /** It does not keep the machine alive: kswapd, pdflush. */
  readonly daemon?: boolean;
}

/** All tasks of a machine. */
export class Tasks {
  private readonly heap: Heap;
  private readonly memory: Memory;
  private readonly byPointer: Map<number, Task> = new Map();
  private readonly dead: Ptr<TaskStruct>[] = [];
  private nextPid = 1;
  /** Tasks alive that keep the machine alive. */
  alive = 0;

  constructor(heap: Heap, memory: Memory) {
    this.heap = heap;
    this.memory = memory;
  }

  /** A task_struct with nothing set. */
  allocate(): Ptr<TaskStruct> {
    const used = this.dead.length > KEPT_DEAD ? this.dead.shift() : undefined;
    const pointer = used ?? (this.heap.allocate(taskStructs.id) as Ptr<TaskStruct>);
    if ((pointer as number) === 0) throw new Error('no memory for another task_struct: raise memoryWords');
    this.heap.words.fill(0, pointer, pointer + TaskStruct.$size);
    this.memory.forget(pointer, TaskStruct.$size);
    return pointer;
  }

  create(name: string, body: () => Op<unknown>, options: TaskOptions): Task {
    const pointer = this.allocate();
    const pid = options.pid ?? this.nextPid;
    this.nextPid = Math.max(this.nextPid, pid) + 1;
    this.heap.words[TaskStruct.pid(pointer)] = pid;
    this.heap.words[TaskStruct.tgid(pointer)] = options.tgid ?? pid;
    const task = new Task(
      pointer,
      name,
      new Context('task', name, body(), null),
      options.cpu ?? -1,
      options.daemon ?? false,
    );
    this.byPointer.set(pointer, task);
    if (!task.daemon) this.alive++;
    return task;
  }

  bury(task: Task): void {
    this.byPointer.delete(task.pointer);
    this.dead.push(task.pointer);
    if (!task.daemon) this.alive--;
  }

  find(pointer: number): Task | undefined {
    return this.byPointer.get(pointer);
  }

  all(): IterableIterator<Task> {
    return this.byPointer.values();
  }

  get size(): number {
    return this.byPointer.size;
  }
}
