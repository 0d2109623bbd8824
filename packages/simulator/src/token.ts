// SPDX-License-Identifier: MIT
import type { MachineConfig, MachineOptions } from './options.js';
import { configOf } from './options.js';

const VERSION = 1;

/** What replays a machine's schedule: its configuration and seed. */
export function encodeToken(config: MachineConfig): string {
  const { seed, ...rest } = config;
  const text = JSON.stringify({ version: VERSION, config: rest, seed });
  return btoa(text).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}

/** The options in a token, to be given to the constructor (with the same hooks and cost). Throws on anything else than a token. */
export function decodeToken(token: string): MachineOptions {
  let content: { version?: unknown; config?: object; seed?: unknown };
  try {
    content = JSON.parse(atob(token.replaceAll('-', '+').replaceAll('_', '/')));
  } catch {
    throw new Error(`replay token ${token.slice(0, 20)}... is damaged`);
  }
  if (content.version !== VERSION || typeof content.seed !== 'number' || typeof content.config !== 'object')
    throw new Error(`replay token of version ${content.version}; this simulator reads version ${VERSION}`);
  return configOf({ ...content.config, seed: content.seed });
}
