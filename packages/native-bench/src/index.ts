// SPDX-License-Identifier: GPL-2.0-only
export * from './hand-written.js';
export * from './lookup-addresses.js';
export * from './wasm/lookup-module.js';
