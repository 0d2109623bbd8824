// SPDX-License-Identifier: MIT
import { CHART_STYLE } from './chart-style.js';
import { escapeXml } from './xml.js';

/** What every chart has around what it draws: its ground, its title, and what is measured. Follows the reader's light or dark ground. */
export function chartFrame(title: string, measure: string, width: number, height: number, body: string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" class="chart" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">`,
    `<title>${escapeXml(title)}</title>`,
    `<style>${CHART_STYLE}</style>`,
    `<rect class="ground" width="${width}" height="${height}"/>`,
    `<text class="title" x="20" y="30">${escapeXml(title)}</text>`,
    `<text x="20" y="52">${escapeXml(measure)}</text>`,
    ...body,
    '</svg>',
    '',
  ].join('\n');
}

/** A figure, as charts print it. */
export const label = (value: number): string => value.toLocaleString('en-US', { maximumSignificantDigits: 3 });
/** A coordinate, as charts have it: to a tenth. */
export const round = (value: number): number => Math.round(value * 10) / 10;
