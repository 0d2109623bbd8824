// SPDX-License-Identifier: GPL-2.0-only
import { Unavailable } from '../harness/subject.js';

/** A package that is measured where it is installed: a devDependency. Throws {@link Unavailable} when it is not, or does not load. */
export async function optional<M>(name: string, load: () => Promise<M>): Promise<M> {
  try {
    return await load();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const reason = code === 'ERR_MODULE_NOT_FOUND' ? 'is not installed' : `does not load: ${message.split('\n', 1)[0]}`;
    throw new Unavailable(`${name} ${reason}`);
  }
}
