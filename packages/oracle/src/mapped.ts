// SPDX-License-Identifier: GPL-2.0-only
import { ARENA_PAGES, type Step } from './script.js';

const pagesOf = (at: number, pages: number): number[] => Array.from({ length: pages }, (_, i) => at + i);

/** Which pages each process has mapped, about: as if every step succeeded. */
export class Mapped {
  private readonly spaces = new Map<number, Set<number>>();

  /** The step at a page that is mapped, if any is: the one that its own page number comes to. */
  lead(step: Step): Step {
    if (!('at' in step) || step.op === 'mmap') return step;
    const pages = [...this.pagesOf('of' in step ? step.of : step.process)].sort((a, b) => a - b);
    if (pages.length === 0) return step;
    const at = pages[step.at % pages.length];
    if (!('pages' in step)) return { ...step, at };
    const last = pages.findLast((page, i) => page - at === i - pages.indexOf(at)) ?? at;
    const led = { ...step, at, pages: Math.min(step.pages, last + 1 - at) };
    if (led.op !== 'mremap' || step.op !== 'mremap') return led;
    if (led.stays) return { ...led, newPages: led.pages };
    if (step.to !== step.at) return led;
    return { ...led, to: at, newPages: Math.min(led.newPages, ARENA_PAGES - at) };
  }

  follow(step: Step): void {
    const pages = this.pagesOf(step.process);
    switch (step.op) {
      case 'mmap':
        for (const page of pagesOf(step.at, step.pages)) pages.add(page);
        return;
      case 'munmap':
        for (const page of pagesOf(step.at, step.pages)) pages.delete(page);
        return;
      case 'mremap':
        if (!step.stays) for (const page of pagesOf(step.at, step.pages)) pages.delete(page);
        if (step.to !== null) for (const page of pagesOf(step.to, step.newPages)) pages.add(page);
        return;
      case 'fork':
        this.spaces.set(step.child, new Set(pages));
        return;
      case 'exit':
        this.spaces.delete(step.process);
    }
  }

  private pagesOf(process: number): Set<number> {
    const pages = this.spaces.get(process) ?? new Set();
    this.spaces.set(process, pages);
    return pages;
  }
}
