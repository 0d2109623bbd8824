// SPDX-License-Identifier: GPL-2.0-only
import { defineWord, load, NULL, type Op, type Ptr, peek, poke, type Ref } from '@lockless/cpu';
import { VmAreaStruct } from '@lockless/mm-types';

/*
 * Areas of no file that are not anonymous: their pages are in an array that the kernel keeps (install_special_mapping() of mm). In Linux vma->vm_ops
 * says so; here, that an area without a file has private data.
 */

const inUse: Ref<number> = defineWord('special_mappings');
/** There may be special mappings from now on. *Context*: boot. */
export const useSpecialMappings = (): void => poke(inUse, 1);

/** vma->vm_ops == &special_mapping_vmops. *Context*: mmap_sem. */
export function* isSpecialMapping(vma: Ptr<VmAreaStruct>): Op<boolean> {
  if (peek(inUse) === 0 || (yield* load(VmAreaStruct.vmFile(vma))) !== NULL) return false;
  return (yield* load(VmAreaStruct.vmPrivateData(vma))) !== 0;
}

/** {@link isSpecialMapping}, looked at from outside. */
export const showsSpecialPages = (vma: Ptr<VmAreaStruct>): boolean =>
  peek(VmAreaStruct.vmFile(vma)) === NULL && peek(VmAreaStruct.vmPrivateData(vma)) !== 0;
