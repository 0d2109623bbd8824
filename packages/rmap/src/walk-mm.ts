// SPDX-License-Identifier: GPL-2.0-only
import type { Null, Ptr, Ref } from '@lockless/cpu';
import { ListHead, NULL, peek } from '@lockless/cpu';
import { MmStruct, RbNode, VmAreaStruct } from '@lockless/mm-types';
import { pmdTransHuge, ptePartOfHuge } from './huge-pmd.js';
import { entrySpan, PGD_LEVEL, tableEntries } from './pgtable.js';
import type { Pte } from './pte.js';

/* Looks at address spaces from outside, without an access: for reports and invariants, between steps of the machine. */

/** An area, as a tool sees it. */
export interface AreaView {
  readonly vma: Ptr<VmAreaStruct>;
  /** First page, and one past the last. */
  readonly start: number;
  readonly end: number;
}

/** The areas of an mm in the order of its list. */
export function areasOf(mm: Ptr<MmStruct>): AreaView[] {
  const areas: AreaView[] = [];
  for (let vma = peek(MmStruct.mmap(mm)); vma !== NULL; vma = peek(VmAreaStruct.vmNext(vma))) {
    areas.push({ vma, start: peek(VmAreaStruct.vmStart(vma)), end: peek(VmAreaStruct.vmEnd(vma)) });
  }
  return areas;
}

/**
 * Called for each entry that is not none, in ascending order. `vma` is the area around it, NULL when there is none. A huge page comes as the entries
 * that it would have after a split, all in the place of the one it has.
 */
export type PteVisitor = (vpage: number, pte: Pte, vma: Ptr<VmAreaStruct> | Null, ptep: Ref<Pte>) => void;

/** Visits all entries of an address space. *Returns* the number of pte tables. Tools only. */
export function walkMm(mm: Ptr<MmStruct>, visit: PteVisitor): number {
  const areas = areasOf(mm);
  let near = 0;
  let tables = 0;
  const visitAt = (vpage: number, value: number, place: Ref<Pte>): void => {
    while (near < areas.length && (areas[near] as AreaView).end <= vpage) near++;
    const area = areas[near];
    const vma = area !== undefined && area.start <= vpage ? area.vma : NULL;
    visit(vpage, value as Pte, vma, place);
  };
  const descend = (table: number, level: number, base: number): void => {
    if (level === 0) tables++;
    for (let i = 0; i < tableEntries(level); i++) {
      const value = peek((table + i) as Ref<number>);
      if (value === 0) continue;
      const vpage = base + i * entrySpan(level);
      const place = (table + i) as Ref<Pte>;
      if (level === 0) visitAt(vpage, value, place);
      else if (!pmdTransHuge(value)) descend(value, level - 1, vpage);
      else for (let sub = 0; sub < entrySpan(1); sub++) visitAt(vpage + sub, ptePartOfHuge(value as Pte, sub), place);
    }
  };
  descend(peek(MmStruct.pgd(mm)), PGD_LEVEL, 0);
  return tables;
}

/** The areas of an mm in the order of its tree, and what is wrong with the tree. */
export function treeOf(mm: Ptr<MmStruct>): { readonly vmas: Ptr<VmAreaStruct>[]; readonly broken: string | null } {
  const vmas: Ptr<VmAreaStruct>[] = [];
  let broken: string | null = null;
  /** Black nodes on the way down. */
  const descend = (node: Ptr<RbNode> | Null, parent: Ptr<RbNode> | Null): number => {
    if (node === NULL) return 0;
    const red = peek(RbNode.color(node)) === 0;
    if (peek(RbNode.parent(node)) !== parent) broken ??= 'a node does not point to its parent';
    if (red && (parent === NULL || peek(RbNode.color(parent)) === 0))
      broken ??= 'a red node below a red one, or a red root';
    const left = descend(peek(RbNode.left(node)), node);
    vmas.push((node - (VmAreaStruct.$offset.vmRb ?? 0)) as Ptr<VmAreaStruct>);
    const right = descend(peek(RbNode.right(node)), node);
    if (left !== right) broken ??= 'paths with different numbers of black nodes';
    return left + (red ? 0 : 1);
  };
  descend(peek(MmStruct.mmRb(mm)), NULL);
  return { vmas, broken };
}

/** The elements of a list, by the struct that a field of theirs lies in. */
export function listOf(head: Ptr<ListHead>, offset: number): number[] {
  const found: number[] = [];
  for (let at = peek(ListHead.next(head)); at !== head && (at as number) !== NULL; at = peek(ListHead.next(at))) {
    found.push(at - offset);
  }
  return found;
}
