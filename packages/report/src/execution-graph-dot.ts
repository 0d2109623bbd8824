// SPDX-License-Identifier: MIT
import { type DrawnEdge, drawing, type EdgeColor, type ExecutionGraph } from './execution-graph.js';

const COLORS: Readonly<Record<EdgeColor, string>> = {
  po: 'black',
  rf: 'red',
  co: 'blue',
  fr: '#ffa040',
  dependency: 'indigo',
};

/** The execution for Graphviz, as herd draws it: a cluster per thread, red reads-from, blue coherence, orange from-reads. */
export function executionDot(graph: ExecutionGraph): string {
  const { title, threads, initial, edges } = drawing(graph);
  const lines = [
    'digraph G {',
    '  splines=spline;',
    '  node [shape=none, fontname=helvetica, fontsize=10, height=0.2, margin=0.04];',
    '  edge [fontname=helvetica, fontsize=9, arrowsize=0.7];',
    ...(title === '' ? [] : [`  label=${quote(title)}; labelloc=t; fontname=helvetica;`]),
    ...initial.map(({ event, label }) => `  e${event} [label=${quote(label)}];`),
  ];
  threads.forEach(({ heading, events }, thread) => {
    lines.push(`  subgraph cluster_proc${thread} {`, `    label=${quote(heading)}; color=magenta; fontname=helvetica;`);
    for (const { event, label } of events) lines.push(`    e${event} [label=${quote(label)}];`);
    lines.push('  }');
  });
  const order = new Set(
    threads.flatMap(({ events }) => events.slice(1).map(({ event }, i) => `${events[i].event} ${event}`)),
  );
  lines.push(...edges.map((edge) => `  ${edgeLine(edge, order.has(`${edge.from} ${edge.to}`))}`), '}');
  return `${lines.join('\n')}\n`;
}

/** Only program order says who stands above whom. */
function edgeLine({ from, to, name, color, highlighted }: DrawnEdge, ordering: boolean): string {
  const ink = COLORS[color];
  const attributes = [
    `label=${quote(name)}`,
    `color=${quote(ink)}`,
    `fontcolor=${quote(ink)}`,
    ...(highlighted ? ['penwidth=2.5'] : []),
    ...(ordering ? ['weight=10'] : ['constraint=false']),
  ];
  return `e${from} -> e${to} [${attributes.join(', ')}];`;
}

/** A quoted string of DOT. */
function quote(text: string): string {
  return `"${text
    .replaceAll('\\', '\\\\')
    .replaceAll('"', '\\"')
    .replaceAll(/[\n\r]+/g, '\\n')}"`;
}
