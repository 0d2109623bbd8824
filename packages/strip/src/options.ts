// SPDX-License-Identifier: MIT

/** How to translate one file, or all files of a folder. */
export interface StripOptions {
  /** The file's name, for messages and the source map; it decides whether it is read as TypeScript. */
  readonly file?: string;
  /** Modules that the vocabulary comes from: what they export under the names below is meant. */
  readonly vocabulary?: readonly string[];
  /** Types of an operation: `Op<T>` becomes `T`. */
  readonly types?: readonly string[];
  /** The function that fills in an access: `access(PRIMITIVE, a, b)` becomes `PRIMITIVE(a, b)`. */
  readonly access?: string;
  /** Functions that drive an operation from outside, for which there is nothing to drive in a native build. */
  readonly drivers?: readonly string[];
  /** Modules to import from instead: from what the source says to what the native build says. */
  readonly modules?: Readonly<Record<string, string>>;
  /** Names of the vocabulary that are imported from another module: `names` of them from `module`. */
  readonly redirect?: { readonly names: readonly string[]; readonly module: string };
  /** Functions from elsewhere that return an operation: module to names. */
  readonly operations?: ReadonlyMap<string, ReadonlySet<string>>;
}

export type Settled = Required<Omit<StripOptions, 'redirect' | 'operations'>> & Pick<StripOptions, 'redirect'>;

/** What is taken away by default is what `@lockless/cpu` calls an operation. */
export function settle(options: StripOptions): Settled {
  return {
    file: 'source.ts',
    vocabulary: ['@lockless/cpu', '@lockless/cpu/native', './op.js'],
    types: ['Op', 'Access'],
    access: 'access',
    drivers: ['runSequentially', 'SequentialEngine', 'installEngine', 'enterCpu'],
    modules: {},
    ...options,
  };
}
