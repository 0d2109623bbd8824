// SPDX-License-Identifier: MIT
import { O_CLOEXEC } from './flags.js';
import { descriptorsOf } from './strace-log.js';
import type { CallContext, Translate } from './tasks.js';

const F_DUPFD = 0;
const F_SETFD = 2;
const F_SETFL = 4;
const F_DUPFD_CLOEXEC = 1030;
const O_APPEND = 0o2000;

/** Makes descriptor `to` lead where `from` does. Returning null keeps the call's own record. */
function duplicate(call: CallContext, from: number, to: number, closeOnExec: boolean): null {
  if (call.result < 0 || from === to) return null;
  const { descriptors } = call.thread;
  const description = descriptors.get(from);
  call.release(description ? descriptors.set(to, description, closeOnExec) : descriptors.close(to));
  return null;
}

const fcntl: Translate = (call) => {
  const [fd, command, value] = [call.args.int(0), call.args.int(1), call.args.int(2)];
  if (call.result < 0) return null;
  if (command === F_DUPFD || command === F_DUPFD_CLOEXEC) {
    return duplicate(call, fd, call.result, command === F_DUPFD_CLOEXEC);
  }
  if (command === F_SETFD) call.thread.descriptors.setCloseOnExec(fd, (value & 1) !== 0);
  const description = call.thread.descriptors.get(fd);
  if (command === F_SETFL && description) description.append = (value & O_APPEND) !== 0;
  return null;
};

const pipe: Translate = (call) => {
  if (call.result < 0 || !call.strace) return null;
  const pipe = call.nextPipe();
  const closeOnExec = call.name === 'pipe2' && (call.args.int(1) & O_CLOEXEC) !== 0;
  for (const fd of descriptorsOf(call.strace)) {
    call.release(call.thread.descriptors.set(fd, call.describe(null, { pipe }), closeOnExec));
  }
  return null;
};

export const DESCRIPTOR_CALLS: Readonly<Record<string, Translate>> = {
  close: (call) => {
    // The descriptor goes even when close reports an error, except for one that was not open.
    if (call.result !== -9) call.release(call.thread.descriptors.close(call.args.int(0)));
    return null;
  },
  close_range: (call) => {
    const CLOEXEC = 4;
    const last = call.args.at(1);
    if (call.result !== 0) return null;
    if (call.args.int(2) & CLOEXEC) {
      for (let fd = call.args.int(0); fd <= Math.min(last, 65_536); fd++)
        call.thread.descriptors.setCloseOnExec(fd, true);
    } else call.release(...call.thread.descriptors.closeRange(call.args.int(0), last));
    return null;
  },
  dup: (call) => duplicate(call, call.args.int(0), call.result, false),
  dup2: (call) => duplicate(call, call.args.int(0), call.args.int(1), false),
  dup3: (call) => duplicate(call, call.args.int(0), call.args.int(1), (call.args.int(2) & O_CLOEXEC) !== 0),
  fcntl,
  lseek: (call) => {
    const description = call.thread.descriptors.get(call.args.int(0));
    if (description && call.result >= 0) description.offset = call.result;
    return null;
  },
  pipe,
  pipe2: pipe,
  socketpair: pipe,
};
