// SPDX-License-Identifier: MIT
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { assemble } from './assemble.js';
import { type TranslateOptions, translate } from './translate.js';
import { WasmError } from './wasm-error.js';

const USAGE = `Usage: lockless-wasm MODULE.js... [options]

Translates the functions that a compiled module exports, with all they call, to WebAssembly, and writes it beside: MODULE.wasm.js, which exports the
bytes in base64 by the table of primitives, 'fast' and 'strict', and the same for machines whose RCU readers say nothing,
'fastQuiet' and 'strictQuiet'.

  --unsigned NAME         a parameter of an exported function that is unsigned (may be repeated)
  --text                  print the text of the module (with the 'fast' table) instead
  --checked               with traps where a number needs more than 32 bits, and the like
  -h, --help              this text

exit codes: 0 translated, 2 wrong usage, 3 a function is not of the subset (FILE:LINE:COLUMN: why)
`;

/** The command; returns its exit code. */
export async function main(args: readonly string[]): Promise<number> {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        unsigned: { type: 'string', multiple: true, default: [] },
        text: { type: 'boolean', default: false },
        checked: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (values.help) {
      console.log(USAGE);
      return 0;
    }
    if (positionals.length === 0) throw new TypeError('no module is named');
    for (const entry of positionals) {
      const options: TranslateOptions = { entry, unsigned: values.unsigned, checked: values.checked };
      if (values.text) console.log(await translate(options));
      else await writeModule(options);
    }
    return 0;
  } catch (error) {
    if (error instanceof WasmError) {
      console.error(error.message);
      return 3;
    }
    if (error instanceof TypeError || (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS')) {
      console.error(`lockless-wasm: ${(error as Error).message}\n${USAGE}`);
      return 2;
    }
    throw error;
  }
}

async function writeModule(options: TranslateOptions): Promise<void> {
  const names: string[] = [];
  const lines: string[] = [];
  for (const primitives of ['fast', 'strict'] as const)
    for (const quietRcu of [false, true]) {
      const name = quietRcu ? `${primitives}Quiet` : primitives;
      const bytes = await assemble(await translate({ ...options, primitives, constants: { quietRcu } }));
      names.push(name);
      lines.push(`export const ${name} = '${Buffer.from(bytes).toString('base64')}';\n`);
    }
  const file = options.entry.replace(/\.js$/, '.wasm');
  writeFileSync(`${file}.js`, `// Written by lockless-wasm.\n${lines.join('')}`);
  writeFileSync(`${file}.d.ts`, names.map((name) => `export declare const ${name}: string;\n`).join(''));
}
