// SPDX-License-Identifier: MIT
import { drawing, type EdgeColor, type ExecutionGraph } from './execution-graph.js';
import { type Box, type Curve, type Heading, layOut } from './execution-graph-layout.js';
import { escapeXml } from './xml.js';

const KINDS: readonly EdgeColor[] = ['po', 'rf', 'co', 'fr', 'dependency'];

/** herd's colours; on a dark ground lighter ones of the same hue. */
const STYLE = `
.execution{--ground:#fff;--ink:#1b1b1f;--box:#f4f4f7;--line:#c9c9d2;--po:#1b1b1f;--rf:#d40000;--co:#0030d0;--fr:#c86a00;--dependency:#4b0082;background:var(--ground)}
@media (prefers-color-scheme:dark){.execution{--ground:#16161a;--ink:#e6e6ea;--box:#24242b;--line:#484852;--po:#b9b9c4;--rf:#ff6b6b;--co:#7aa2ff;--fr:#ffa040;--dependency:#c39bff}}
.execution .ground{fill:var(--ground)}
.execution text{fill:var(--ink);font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;text-anchor:middle;dominant-baseline:central}
.execution .title{font:600 15px system-ui,sans-serif;text-anchor:start}
.execution .thread{font:600 13px system-ui,sans-serif}
.execution rect.event{fill:var(--box);stroke:var(--line)}
.execution path{fill:none;stroke-width:1.4}
.execution .name{font-size:11px;paint-order:stroke;stroke:var(--ground);stroke-width:4px;stroke-linejoin:round}
.execution .highlighted{stroke-width:2.8}
.execution .name.highlighted{font-weight:700;stroke-width:4px}
${KINDS.map((kind) => `.execution path.${kind}{stroke:var(--${kind})}.execution .name.${kind},.execution .head.${kind}{fill:var(--${kind})}`).join('\n')}
`;

/** The execution as a picture that needs nothing else: threads side by side, program order downwards. Follows the reader's light or dark ground. */
export function executionSvg(graph: ExecutionGraph): string {
  const made = drawing(graph);
  const { width, height, boxes, headings, curves } = layOut(made);
  const w = Math.ceil(width);
  const h = Math.ceil(height);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" class="execution" width="${w}" height="${h}" viewBox="0 0 ${w} ${h}" role="img">`,
    `<title>${escapeXml(made.title === '' ? 'An execution' : made.title)}</title>`,
    `<style>${STYLE}</style>`,
    `<defs>${KINDS.map(arrowHead).join('')}</defs>`,
    `<rect class="ground" width="${w}" height="${h}"/>`,
    ...(made.title === '' ? [] : [`<text class="title" x="28" y="26">${escapeXml(made.title)}</text>`]),
    ...headings.map(heading),
    ...curves.map(line),
    ...boxes.map(box),
    ...curves.map(name),
    '</svg>',
    '',
  ].join('\n');
}

function arrowHead(kind: EdgeColor): string {
  return `<marker id="head-${kind}" viewBox="0 0 8 8" refX="7.4" refY="4" markerWidth="9" markerHeight="9" markerUnits="userSpaceOnUse" orient="auto"><polygon class="head ${kind}" points="0,0.6 8,4 0,7.4"/></marker>`;
}

function heading({ text, x, y }: Heading): string {
  return `<text class="thread" x="${round(x)}" y="${round(y)}">${escapeXml(text)}</text>`;
}

function box({ label, x, y, width, height }: Box): string {
  const middle = `x="${round(x + width / 2)}" y="${round(y + height / 2)}"`;
  return `<rect class="event" x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${height}" rx="5"/><text ${middle}>${escapeXml(label)}</text>`;
}

function line({ edge, points: [a, b, c, d] }: Curve): string {
  const at = ({ x, y }: typeof a): string => `${round(x)} ${round(y)}`;
  const names = `${edge.color}${edge.highlighted ? ' highlighted' : ''}`;
  return `<path class="${names}" d="M${at(a)} C${at(b)}, ${at(c)}, ${at(d)}" marker-end="url(#head-${edge.color})"/>`;
}

function name({ edge, label }: Curve): string {
  const names = `name ${edge.color}${edge.highlighted ? ' highlighted' : ''}`;
  return `<text class="${names}" x="${round(label.x)}" y="${round(label.y)}">${escapeXml(edge.name)}</text>`;
}

const round = (number: number): number => Math.round(number * 10) / 10;
