// SPDX-License-Identifier: MIT
export { CompileError, compile, joinMaps } from './compile.js';
export type { FolderOptions, FolderResult } from './folder.js';
export { stripFolder } from './folder.js';
export { buildNativePackage, ManifestError } from './native-package.js';
export type { StripOptions } from './options.js';
export type { Stripped } from './strip.js';
export { strip } from './strip.js';
export type { Problem } from './strip-error.js';
export { StripError } from './strip-error.js';
