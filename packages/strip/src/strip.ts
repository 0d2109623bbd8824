// SPDX-License-Identifier: MIT
import type { SourceMap } from 'magic-string';
import type { ModuleExportName } from 'oxc-parser';
import { translateAccesses } from './access-call.js';
import { translateGenerators } from './delegation.js';
import { OperationTypes, translateTypes } from './operation-types.js';
import { Operations } from './operations.js';
import type { StripOptions } from './options.js';
import { settle } from './options.js';
import { SourceFile } from './source-file.js';
import { translateImports, type Vocabulary } from './vocabulary.js';

export interface Stripped {
  /** The native source. */
  readonly code: string;
  /** From the native source to the one it was made of. */
  readonly map: SourceMap;
  /** Names that the file exports and that are operations: who imports them must know, see {@link StripOptions.operations}. */
  readonly operations: readonly string[];
}

/** A file whose imports and names are read. The rest needs to know which names that it imports are operations. */
export class Draft {
  private readonly source: SourceFile;
  private readonly vocabulary: Vocabulary;
  private readonly types: OperationTypes;
  /** Names that the file exports and that are operations, as far as it shows by itself. */
  readonly operations: ReadonlySet<string>;
  /** Names that it passes on from other modules; `*` for all of one. */
  readonly passedOn: readonly { readonly name: string; readonly as: string; readonly from: string }[];

  /** Throws {@link StripError} on source that does not parse. */
  constructor(text: string, options: StripOptions) {
    this.source = new SourceFile(text, settle(options));
    this.vocabulary = translateImports(this.source);
    this.types = new OperationTypes(this.source, this.vocabulary);
    this.operations = new Set(new Operations(this.source, this.types, this.vocabulary, new Map()).exported());
    this.passedOn = this.source.program.body.flatMap((node) => {
      if (node.type === 'ExportAllDeclaration')
        return node.exported ? [] : [{ name: '*', as: '*', from: node.source.value }];
      if (node.type !== 'ExportNamedDeclaration' || node.source === null) return [];
      const from = node.source.value;
      return node.specifiers.map(({ local, exported }) => ({ name: nameOf(local), as: nameOf(exported), from }));
    });
  }

  /** Translates the rest, once. `elsewhere`: names of operations that other modules export. Throws {@link StripError}. */
  finish(elsewhere: ReadonlyMap<string, ReadonlySet<string>>): Stripped {
    const { source, types, vocabulary } = this;
    const operations = new Operations(source, types, vocabulary, elsewhere);
    translateTypes(source, types);
    translateGenerators(source, operations);
    translateAccesses(source, vocabulary);
    source.throwProblems();
    const map = source.output.generateMap({ source: source.options.file, hires: 'boundary', includeContent: true });
    return { code: source.output.toString(), map, operations: operations.exported() };
  }
}

const nameOf = (name: ModuleExportName): string => (name.type === 'Literal' ? name.value : name.name);

/**
 * Translates operations written as generators into plain functions: `function*` becomes `function`, `yield* e` becomes `e`, `Op<T>` becomes `T`.
 * Throws {@link StripError} on source that does not parse, and on all that would do something else natively.
 */
export const strip = (text: string, options: StripOptions = {}): Stripped =>
  new Draft(text, options).finish(options.operations ?? new Map());
