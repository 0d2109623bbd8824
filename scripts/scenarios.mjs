// SPDX-License-Identifier: MIT
// docs/scenarios.md: the catalogue of races, each checked under each model with all its guards and without each of them. The checker is
// exhaustive and deterministic, so the page is too. --check runs all of it and compares; the packages' tests run the claims that tell most, and
// test/scenarios.test.ts holds the page to the claims.
//   node scripts/scenarios.mjs [--write | --check] [NAME...]
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { check } from '@lockless/checker';
import { scenarios } from '@lockless/scenarios';

const MODELS = ['sc', 'tso', 'lkmm'];
const BEGIN = '<!-- catalogue: node scripts/scenarios.mjs --write -->';
const END = '<!-- /catalogue -->';

const number = (n) => n.toLocaleString('en-US');

/** `holds (12)`, `**use-after-free** in putPage`, `bounded (10,000 executions)`. */
function cell({ verdict, executions, violation, bound }) {
  if (verdict === 'holds') return `holds (${number(executions)})`;
  if (verdict === 'bounded') return `bounded (${bound})`;
  return `**${violation.kind}**${violation.at ? ` in \`${violation.at}\`` : ''}`;
}

/** Whether a result is what the catalogue claims: `holds`, or a violation of that kind (and place). */
export function asClaimed(claim, { verdict, violation }) {
  if (claim === 'holds') return verdict === 'holds';
  return (
    verdict === 'violated' && violation.kind === claim.kind && (claim.at === undefined || violation.at === claim.at)
  );
}

/** Everything the catalogue claims of a scenario, run: one row with all guards, one for each guard left out. */
export async function rowsOf(scenario) {
  const rows = [];
  for (const guard of [null, ...scenario.guards]) {
    const results = [];
    for (const model of MODELS) {
      const result = await check(scenario, { model, without: guard === null ? [] : [guard.name] });
      results.push({ result, right: asClaimed(guard === null ? 'holds' : guard.without[model], result) });
    }
    rows.push({ guard: guard?.name ?? null, results });
  }
  return rows;
}

/** A scenario as Markdown. */
export function section(scenario, rows) {
  const reached = Object.entries(rows[0].results[2].result.reached);
  return [
    `### ${scenario.name}`,
    '',
    `${scenario.summary}`,
    '',
    `${scenario.facts.length > 0 ? `*Facts* ${scenario.facts.join(', ')}. ` : ''}*Source* ${scenario.source}. *Properties* ${scenario.properties.join(', ')}.` +
      (reached.length > 0 ? ` *Reached* ${reached.map(([label, n]) => `“${label}” (${number(n)})`).join(', ')}.` : ''),
    '',
    '| without | SC | TSO | LKMM |',
    '|---|---|---|---|',
    ...rows.map(
      ({ guard, results }) =>
        `| ${guard === null ? '—' : `\`${guard}\``} | ${results.map(({ result, right }) => `${cell(result)}${right ? '' : ' ⚠ not as claimed'}`).join(' | ')} |`,
    ),
  ].join('\n');
}

/** Those scenarios as Markdown, one text each. `done` hears of each as it is there. */
export async function catalogue(names = [], done = (_text) => {}) {
  const chosen = scenarios.filter(({ name }) => names.length === 0 || names.includes(name));
  const sections = [];
  for (const scenario of chosen) {
    const text = section(scenario, await rowsOf(scenario));
    sections.push(text);
    done(text);
  }
  return sections;
}

/** The page with its catalogue replaced. */
export function withCatalogue(page, text) {
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`docs/scenarios.md: expected ${BEGIN} … ${END}`);
  return `${page.slice(0, begin + BEGIN.length)}\n\n${text}\n\n${page.slice(end)}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const names = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
  const path = fileURLToPath(new URL('../docs/scenarios.md', import.meta.url));
  const page = readFileSync(path, 'utf8');
  if (process.argv.includes('--check')) {
    let wrong = 0;
    const sections = await catalogue(names, (text) => {
      if (page.includes(`${text}\n`) && !text.includes('not as claimed')) return;
      wrong++;
      process.stdout.write(`docs/scenarios.md says something else, or the catalogue does:\n\n${text}\n\n`);
    });
    process.stdout.write(`${sections.length} scenarios run, ${wrong} not as docs/scenarios.md and the catalogue say\n`);
    process.exitCode = wrong > 0 ? 1 : 0;
  } else {
    const sections = await catalogue(names, (text) => process.stdout.write(`${text}\n\n`));
    if (process.argv.includes('--write')) writeFileSync(path, withCatalogue(page, sections.join('\n\n')));
  }
}
