// SPDX-License-Identifier: GPL-2.0-only
import { getSystemErrorMap } from 'node:util';
import type { FrameNames } from './frame-names.js';
import { type AreaSeen, type Observation, type ProcessSeen, SMAPS_FIELDS } from './observation.js';

/** One thing that both sides say of themselves. */
export interface Fact {
  readonly where: string;
  readonly field: string;
  readonly value: string;
}

const SIGNALS: Readonly<Record<number, string>> = { 7: 'SIGBUS', 11: 'SIGSEGV' };

/** `ok`, `SIGBUS`, `ENOMEM`. */
const resultName = (result: number): string =>
  result === 0 ? 'ok' : (SIGNALS[result] ?? getSystemErrorMap().get(result)?.[0] ?? String(result));

const valueName = (value: number): string => (value === 0 ? 'zero' : `of step ${value}`);
const contentName = (seen: number): string => (seen < 0 ? resultName(-seen) : valueName(seen));

/** An observation in single facts, frames by their names. To be called for one observation after the other. */
export function factsOf(observation: Observation, names: FrameNames): Fact[] {
  const nameOf = names.follow(observation);
  const { result, value, contents, processes } = observation;
  const step = [
    { where: 'step', field: 'result', value: resultName(result) },
    { where: 'step', field: 'value read', value: valueName(value) },
    ...contents.map((seen, i) => ({ where: 'step', field: `content ${i}`, value: contentName(seen) })),
  ];
  return [...step, ...processes.flatMap((process) => [...processFacts(process), ...pageFacts(process, nameOf)])];
}

function processFacts({ process, areas }: ProcessSeen): Fact[] {
  return areas.flatMap((area) => areaFacts(`P${process} area ${area.start}+${area.end - area.start}`, area));
}

function areaFacts(where: string, { rights, of, index, vmFlags, smaps }: AreaSeen): Fact[] {
  return [
    { where, field: 'mapped', value: mappedAs(rights, of, index) },
    { where, field: 'VmFlags', value: vmFlags.join(' ') },
    ...SMAPS_FIELDS.map((field) => ({ where, field: `smaps.${field}`, value: `${smaps[field]} kB` })),
  ];
}

const mappedAs = (rights: string, of: string, index: number): string =>
  `${rights} ${of}${of === 'anonymous' ? '' : ` from ${index}`}`;

/** What the page is mapped as: its area's rights, and which page of which file. */
function pageMappedAs(areas: readonly AreaSeen[], page: number): string {
  const area = areas.find(({ start, end }) => page >= start && page < end);
  return area === undefined ? 'nothing' : mappedAs(area.rights, area.of, area.index + page - area.start);
}

function pageFacts(
  { process, areas, pages }: ProcessSeen,
  nameOf: (page: ProcessSeen['pages'][number]) => string,
): Fact[] {
  return pages.flatMap((page) => {
    const where = `P${process} page ${page.page}`;
    return [
      { where, field: 'mapped', value: pageMappedAs(areas, page.page) },
      { where, field: 'kind', value: page.kind },
      { where, field: 'frame', value: nameOf(page) },
      { where, field: 'pagemap', value: page.pagemap.toString(16).padStart(3, '0') },
      { where, field: 'flags', value: page.flags.join(' ') },
      { where, field: 'mapcount', value: String(page.mapcount) },
      { where, field: 'dirty', value: String(page.dirty) },
      // Of swapped pages it depends on the disk: what is written over already is reclaimed.
      { where, field: 'mincore', value: page.kind === 'swap' ? '-' : String(page.mincore) },
    ];
  });
}
