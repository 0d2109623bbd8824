// SPDX-License-Identifier: MIT
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { program } from '../src/main.js';
import { lockless, never, Screen } from './terminal.js';

const PAGE = fileURLToPath(new URL('../../../docs/command-line.md', import.meta.url));
const COMMANDS = program({ stdout: new Screen(), stderr: new Screen(), onInterrupt: never }, () => {}).commands.map(
  (c) => c.name(),
);

/** The page in docs that shows every command's help. */
async function page(): Promise<string> {
  const help = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await lockless(...args, '--help');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    return `\`\`\`text\n${stdout.trimEnd()}\n\`\`\`\n`;
  };
  const sections = [];
  for (const name of COMMANDS) sections.push(`## lockless ${name}\n\n${await help(name)}`);
  return `# Command line

What \`lockless --help\` and the commands' own \`--help\` print. Checked by \`apps/lockless/test/help.test.ts\`; after a change of the
options, \`npx vitest run apps/lockless/test/help.test.ts --update\` writes it anew.

* \`--json\` prints one JSON document on stdout and nothing else. That of \`run\` is \`RunResult\` of
  [packages/report/src/run-result.ts](../packages/report/src/run-result.ts); that of \`check\` an array of \`CheckResult\` of
  [packages/checker/src/result.ts](../packages/checker/src/result.ts), with sites and guards by name; that of \`barriers\` an array of what was
  left out, each with the result without it.
* \`check\` and \`barriers\` take scenarios by name, and modules by path: every exported \`{ name, setup, threads }\` is a program
  ([packages/checker](../packages/checker/README.md)); \`./race.mjs#name\` is one of several. \`@lockless/...\` in such a module leads to the packages of
  the command, so nothing has to be installed beside it.
* That of \`litmus\` is a list with an element for each test: \`file\`, \`name\`, \`observation\` (\`Never\`, \`Sometimes\`, \`Always\`), \`states\` (how
  many), \`positive\`, \`negative\`, \`race\`, \`seconds\`, \`finalStates\` (as herd writes them), \`flags\`, \`declared\` and \`found\` (in the words of a
  \`Result:\` line), \`judgement\` (\`as-declared\`, \`forgiven\`, \`different\`, \`undeclared\`), \`bounded\`, \`notes\`. For a test that cannot be read it is
  \`file\` and \`error\`; the others run all the same.
* With \`--native\` it is an object: \`calibration\` (of \`instances\` of store buffering with plain accesses, how many were \`reordered\`; none: the run
  proves little, and the exit code is 4) and \`tests\`, each with \`file\`, \`name\`, \`table\`, \`seed\`, \`instances\`, \`givenUp\` (a loop went on for
  too long), \`seconds\`, \`verdict\` and \`outcomes\` (\`state\`, \`count\`, \`kind\`, \`satisfies\`), or \`notNative\` with the reason, or \`error\`.
* That of \`outcomes\` is a list: \`scenario\`, \`without\`, \`instances\`, \`seconds\`, \`holds\` and \`outcomes\` (\`outcome\`: what was reached, or which claim was
  broken; \`count\`, \`violated\`). It runs every scenario that has a native build, or those that are named.
* That of \`oracle\` is an object: \`kernel\`, \`scripts\` (\`name\`, \`steps\` compared, \`difference\`, \`deliberate\`) and \`generated\` (\`seed\`, \`scripts\`, \`steps\`,
  \`found\`, \`deliberate\`, \`interrupted\`) or null. A difference has the index of its \`step\` and \`fields\`, each with \`where\`, \`field\`, \`simulated\` and \`real\`.
  How scripts are written: [packages/oracle](../packages/oracle/README.md).
* Progress goes to stderr, and only to a terminal. Colours go to a terminal, unless \`NO_COLOR\` is set.
* Messages about a recording begin with \`file:line:\`, with the line in the uncompressed text; those about a litmus test with \`file:line:column:\`.
* Ctrl-C ends a run with the result so far and exit code 130; a second one ends it at once.
* A report or recording appears complete, in the place of what was there, or not at all.

${await help()}
${sections.join('\n')}`;
}

test('the page in docs shows the help of every command', async () => {
  await expect(await page()).toMatchFileSnapshot(PAGE);
});

describe('help', () => {
  test('names every exit code', async () => {
    const { stdout } = await lockless('--help');
    for (const code of [0, 1, 2, 3, 4, 70, 130]) expect(stdout).toMatch(new RegExp(`\\b${code} [a-z]`));
  });

  test('the version is that of the package', async () => {
    const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
    expect(await lockless('--version')).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
  });
});
