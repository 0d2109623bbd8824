// SPDX-License-Identifier: GPL-2.0-only
import { containerOf, kmemCacheFree, type ListHead, type Ptr, peek, poke, staticSymbols } from '@lockless/cpu/native';
import { AddressSpace, File, Inode, RadixTreeNode } from '@lockless/mm-types/native';
import type { NativeMachine } from '@lockless/native';
import { filpCachep, I_DIRTY_PAGES, inodeCachep } from '@lockless/pagecache/native';
import {
  radixTreeDoubts,
  radixTreeNodeCachep,
  radixTreeNodeFree,
  radixTreeNodes,
  radixTreePreloaded,
} from '@lockless/radix-tree/native';
import { urcuQueued } from '@lockless/rcu/native';
import { allCpus, allMappings, openedBy } from './account.js';
import { noteInodeSize, usedRecords } from './file-table.js';
import { relink } from './lock-repairs.js';
import { FileRecord, machineIsShared, recordAt } from './shared-words.js';

/*
 * Kernel objects that are in use though nobody could find them: a thread died that had just allocated them, or was about to free them. *Context* of all here: the other
 * threads are stopped, so what they use stands in a table or a tree.
 */

const unknown = <S>(objects: Iterable<Ptr<S>>, known: ReadonlySet<Ptr<S>>): Ptr<S>[] =>
  [...objects].filter((object) => !known.has(object));

const openFiles = (): Ptr<File>[] => allCpus().flatMap(openedBy);
const inodes = (): Ptr<Inode>[] =>
  usedRecords().map((number) => peek(FileRecord.inode(recordAt(number))) as Ptr<Inode>);

/** Files that are in no thread's table. */
const lostFiles = (machine: NativeMachine): Ptr<File>[] => unknown(machine.objectsOf(filpCachep), new Set(openFiles()));
/** Inodes that no record has. */
const lostInodes = (machine: NativeMachine): Ptr<Inode>[] => unknown(machine.objectsOf(inodeCachep), new Set(inodes()));

/**
 * Nodes that are in no tree, in no CPU's reserve, and do not wait for their grace period. What the dead had in hand they wrote down themselves (radix-tree-hand.ts),
 * so this is for what went wrong there. On a machine that is not the cache's alone they may be others'.
 */
function lostNodes(machine: NativeMachine): Ptr<RadixTreeNode>[] {
  if (peek(machineIsShared) !== 0) return [];
  const known = new Set(allMappings().flatMap((mapping) => radixTreeNodes(AddressSpace.pageTree(mapping))));
  for (const node of allCpus().flatMap(radixTreePreloaded)) known.add(node);
  for (const node of radixTreeDoubts()) known.add(node);
  for (const head of urcuQueued()) known.add(containerOf(head, RadixTreeNode, 'rcuHead'));
  return unknown(machine.objectsOf(radixTreeNodeCachep), known);
}

/** What is wrong, in words. */
export function lostObjects(machine: NativeMachine): string[] {
  const lost = { radix_tree_node: lostNodes(machine), file: lostFiles(machine), inode: lostInodes(machine) };
  return Object.entries(lost).flatMap(([name, { length }]) =>
    length === 0 ? [] : [`${length} objects ${name} are in use, and nobody knows of them`],
  );
}

/** Frees lost nodes, after a grace period: hot reads are not stopped, and may stand on one that had just left its tree. */
export function sweepNodes(machine: NativeMachine): void {
  for (const node of lostNodes(machine)) radixTreeNodeFree(node);
}

/** Opens of each record, references of inodes and the list of dirty ones: by what is in the tables of the living. Other files and inodes are freed. */
export function sweepFiles(machine: NativeMachine): void {
  for (const file of lostFiles(machine)) kmemCacheFree(filpCachep, file);
  for (const inode of lostInodes(machine)) kmemCacheFree(inodeCachep, inode);
  const opens = new Map<Ptr<Inode>, number>();
  for (const file of openFiles()) opens.set(peek(File.inode(file)), (opens.get(peek(File.inode(file))) ?? 0) + 1);
  for (const number of usedRecords()) {
    const record = recordAt(number);
    const inode = peek(FileRecord.inode(record)) as Ptr<Inode>;
    const count = opens.get(inode) ?? 0;
    poke(FileRecord.opens(record), count);
    poke(Inode.count(inode), count + 1);
    noteInodeSize(record);
  }
  const dirty = staticSymbols().find(({ name }) => name === 's_dirty');
  const isDirty = (inode: Ptr<Inode>): boolean => (peek(Inode.state(inode)) & I_DIRTY_PAGES) !== 0;
  for (const inode of inodes()) relink(Inode.list(inode), []);
  if (dirty !== undefined)
    relink(
      dirty.address as Ptr<ListHead>,
      inodes()
        .filter(isDirty)
        .map((inode) => Inode.list(inode)),
    );
}
