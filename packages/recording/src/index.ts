// SPDX-License-Identifier: MIT
export type { RecorderFailure } from './error.js';
export { RecorderError, RecordingError } from './error.js';
export * from './format.js';
export { RecordingParser } from './parser.js';
export { readRecording, recordingLines } from './reader.js';
export type { Recorded, RecordOptions } from './recorder/record.js';
export { record } from './recorder/record.js';
export type { RecordingTotals } from './summary.js';
export { recordingTotals } from './summary.js';
export { formatRecording, writeRecording } from './writer.js';
