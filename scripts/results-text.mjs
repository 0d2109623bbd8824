// SPDX-License-Identifier: MIT
// @ts-check
import { PUBLISHED_FAULTS_SYSTEM } from '@lockless/experiments';
import { Measured } from './results-charts.mjs';

/** Three digits. @param {number} value */
export const digits = (value) =>
  value >= 100 ? Math.round(value).toLocaleString('en-US') : Number(value.toPrecision(value >= 10 ? 3 : 2)).toString();
/** @param {number} value */
export const times = (value) => `${digits(value)}×`;
/** @param {number} share */
export const percent = (share) => `${Number((share * 100).toPrecision(share > 0.9 && share < 1 ? 3 : 2))} %`;

/** A table of medians: a row for each design, a column for each size. @param {Measured} measured @param {string} axis */
export function table(measured, axis) {
  const { designs, sizes } = measured;
  return [
    `| ${axis} | ${sizes.join(' | ')} |`,
    `|---|${sizes.map(() => '--:').join('|')}|`,
    ...designs.map(
      (design) => `| \`${design}\` | ${sizes.map((at) => digits(measured.median(design, at))).join(' | ')} |`,
    ),
  ].join('\n');
}

/** @param {readonly (readonly string[])[]} rows what was claimed, what was published, what was simulated */
export const claims = (rows) =>
  ['| | published | simulated |', '|---|---|---|', ...rows.map((row) => `| ${row.join(' | ')} |`)].join('\n');

/** @param {string} name @param {string} text what it shows, for those who do not see it */
export const picture = (name, text) => `![${text}](images/${name}.svg)`;

/** @param {import('@lockless/experiments').Published} published @param {string} design @param {number} from @param {number} to */
export function ratio({ values }, design, from, to) {
  /** @param {number} at */
  const value = (at) => values[design]?.find(([size]) => size === at)?.[1] ?? Number.NaN;
  return value(from) / value(to);
}

/** Published system time of 64 processes. @param {string} design */
export const systemOf = (design) => PUBLISHED_FAULTS_SYSTEM.values[design]?.[1]?.[1] ?? Number.NaN;
