// SPDX-License-Identifier: MIT
import type { SourceMap } from 'magic-string';
import { translateAccesses } from './access-call.js';
import { translateGenerators } from './delegation.js';
import { OperationTypes, translateTypes } from './operation-types.js';
import { Operations } from './operations.js';
import type { StripOptions } from './options.js';
import { settle } from './options.js';
import { SourceFile } from './source-file.js';
import { translateImports } from './vocabulary.js';

export interface Stripped {
  /** The native source. */
  readonly code: string;
  /** From the native source to the one it was made of. */
  readonly map: SourceMap;
  /** Names that the file exports and that are operations: who imports them must know, see {@link StripOptions.operations}. */
  readonly operations: readonly string[];
}

/**
 * Translates operations written as generators into plain functions: `function*` becomes `function`, `yield* e` becomes `e`, `Op<T>` becomes `T`.
 * Throws {@link StripError} on source that does not parse, and on all that would do something else natively.
 */
export function strip(text: string, options: StripOptions = {}): Stripped {
  const source = new SourceFile(text, settle(options));
  const vocabulary = translateImports(source);
  const types = new OperationTypes(source, vocabulary);
  const operations = new Operations(source, types, vocabulary);
  translateTypes(source, types);
  translateGenerators(source, operations);
  translateAccesses(source, vocabulary);
  source.throwProblems();
  const map = source.output.generateMap({ source: source.options.file, hires: 'boundary', includeContent: true });
  return { code: source.output.toString(), map, operations: operations.exported() };
}

/** Only the names that a file exports and that are operations. Throws {@link StripError} on source that does not parse. */
export function exportedOperations(text: string, options: StripOptions = {}): string[] {
  const source = new SourceFile(text, settle(options));
  const vocabulary = translateImports(source);
  return new Operations(source, new OperationTypes(source, vocabulary), vocabulary).exported();
}
