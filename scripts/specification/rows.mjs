// SPDX-License-Identifier: MIT
// @ts-check
import { mappings } from './rows-mappings.mjs';

/**
 * What the five documents name, section by section, as the researched facts list it: a row is one or more of the kernel's names. Which function
 * of ours that is, is found by its name (find_get_page is findGetPage) unless `at` says it, as `file.ts#function`.
 *
 * @typedef {object} Row
 * @property {string} names the kernel's, separated by commas
 * @property {string} documents the documents that name it: 0 to 4
 * @property {string[]} [at] what implements it, where the names do not tell
 * @property {string} [missing] why there is nothing
 * @property {string} [scenario] why no scenario reaches it
 * @property {string} [simulated] why no simulation does
 * @property {string} [kernel] why it is not compared with the kernel that runs
 * @property {string} [note] what it is here, when it is no function
 */

/**
 * `kernel`: why rows are not compared with the kernel that runs, where they are not.
 * @typedef {{ title: string, kernel: string, rows: Row[] }} Section
 */

/** @type {Section[]} */
export const sections = [
  {
    title: 'References',
    kernel: 'nothing of it can be seen from outside the kernel',
    rows: [
      { names: 'page_count', documents: '0 1 2 3' },
      { names: 'get_page', documents: '0 1 2 3' },
      { names: 'put_page, put_page_testzero, __put_page', documents: '0 1 2 3' },
      { names: 'get_page_unless_zero', documents: '0 2 3' },
      { names: '__get_page_unless_zero', documents: '3', at: ['page-ref.ts#getPageUnlessZeroExempt'] },
      {
        names: 'page_cache_get_speculative, version A',
        documents: '0',
        at: ['lookup-no-new-refs.ts#getPageInSlot'],
      },
      { names: 'page_cache_get_speculative, version B', documents: '1 2', at: ['page-ref.ts#pageCacheGetSpeculative'] },
      { names: 'page_freeze_refs', documents: '2' },
      { names: 'page_unfreeze_refs', documents: '2' },
      {
        names: 'SetPageNoNewRefs, PageNoNewRefs, ClearPageNoNewRefs, __ClearPageNoNewRefs',
        documents: '0',
        at: [
          'page-no-new-refs.ts#setPageNoNewRefs',
          'page-no-new-refs.ts#waitOnNewRefs',
          'page-no-new-refs.ts#endPageNoNewRefs',
        ],
      },
      {
        names: 'SetPageLocked, ClearPageLocked, trylock_page, lock_page, wait_on_page_locked, unlock_page',
        documents: '0 2',
      },
      {
        names: 'page_cache_alloc, mapping_gfp_mask',
        documents: '0',
        at: ['filemap.ts#mappingGfpMask'],
        note: 'pages come from `allocPage` with that mask',
      },
      { names: 'release_pages', documents: '0' },
      {
        names: 'read_cache_page, read_mapping_page',
        documents: '0',
        at: ['read-cache-page.ts#readCachePage'],
        scenario: 'a lookup and an insertion, whose races are above',
        kernel: 'for the metadata of file systems, which are not modelled',
      },
    ],
  },
  {
    title: 'Page cache: lookup and insertion',
    kernel: 'nothing of it can be seen from outside the kernel',
    rows: [
      { names: 'find_get_page', documents: '0 1 2' },
      { names: 'find_lock_page', documents: '0 1 2' },
      {
        names: 'find_or_create_page',
        documents: '0',
        scenario: 'find_lock_page and add_to_page_cache, one after the other: their races are above',
      },
      {
        names: 'grab_cache_page_nowait',
        documents: '0',
        scenario: 'find_get_page and add_to_page_cache, one after the other: their races are above',
      },
      { names: 'find_get_pages', documents: '0 2' },
      { names: 'find_get_pages_contig', documents: '0 2' },
      {
        names: 'find_get_pages_tag',
        documents: '0 2',
        scenario: "as find_get_pages, by the tags, whose races are the radix tree's (`radix-tree/`)",
      },
      { names: 'add_to_page_cache_locked', documents: '2' },
      { names: 'add_to_page_cache', documents: '0 2' },
      { names: 'add_to_page_cache_lru', documents: '2' },
      { names: '__remove_from_page_cache, remove_from_page_cache', documents: '1' },
    ],
  },
  {
    title: 'Swap cache and swap counts',
    kernel: 'nothing of it can be seen from outside the kernel',
    rows: [
      { names: 'add_to_swap_cache', documents: '0 2' },
      { names: 'add_to_swap', documents: '0' },
      { names: '__delete_from_swap_cache, delete_from_swap_cache', documents: '1' },
      { names: 'swap_free, swap_duplicate', documents: '1' },
      { names: 'free_swap_and_cache', documents: '1' },
      { names: 'remove_exclusive_swap_page', documents: '1' },
      { names: 'can_share_swap_page', documents: '1' },
      { names: 'lookup_swap_cache, read_swap_cache_async', documents: '0' },
    ],
  },
  {
    title: 'Reclaim, truncation, invalidation',
    kernel: 'nothing of it can be seen from outside the kernel',
    rows: [
      {
        names: '__remove_mapping, remove_mapping',
        documents: '0 2',
        at: ['remove-mapping.ts#removeMappingFrozen', 'remove-mapping.ts#removeMapping'],
      },
      { names: 'shrink_page_list', documents: '0 2' },
      {
        names: 'pageout',
        documents: '0',
        scenario:
          'under the page lock: its races are those of the dirty bit (`mkclean-vs-write-fault`) and of remove_mapping',
      },
      { names: '__isolate_lru_page', documents: '3' },
      {
        names: 'truncate_inode_pages_range',
        documents: '1',
        scenario: 'a scan: what it does to each page is the next row',
      },
      { names: 'truncate_complete_page', documents: '1' },
      { names: 'radix_tree_delete', documents: '1' },
      { names: 'vmtruncate', documents: '2', at: ['truncate.ts#vmtruncate', 'truncate.ts#truncatePagecache'] },
      { names: 'unmap_mapping_range', documents: '2' },
      { names: 'zap_pte_range', documents: '1' },
      { names: 'invalidate_complete_page, invalidate_complete_page2', documents: '1' },
      { names: 'try_to_unmap', documents: '2 4' },
    ],
  },
  {
    title: 'Migration',
    kernel: 'a kernel of one NUMA node moves no page when it is asked to',
    rows: [
      { names: 'migrate_page_remove_references', documents: '0' },
      { names: 'migrate_page_move_mapping', documents: '2' },
      { names: 'migrate_page_copy, migrate_page, move_to_new_page', documents: '2' },
      { names: 'unmap_and_move', documents: '2' },
      { names: 'migration_entry_wait', documents: '2 3' },
      { names: 'remove_migration_pte', documents: '2' },
    ],
  },
  {
    title: 'Faults',
    kernel: 'that kernel has it no more',
    rows: [
      { names: 'handle_pte_fault', documents: '2 4' },
      {
        names: 'do_anonymous_page',
        documents: '4',
        scenario: 'under the page table lock, and with a page that nobody else knows',
      },
      {
        names: '__do_fault',
        documents: '4',
        at: [
          'memory-fault.ts#doLinearFault',
          'memory-fault.ts#doReadFault',
          'memory-fault.ts#doCowFault',
          'memory-fault.ts#doSharedFault',
        ],
      },
      {
        names: 'do_no_page',
        documents: '4',
        simulated: 'random programs of `mm` with `truncateCountFaults`: `mm/test/simulated.test.ts`',
      },
      { names: 'do_wp_page', documents: '4' },
      { names: 'do_swap_page', documents: '4' },
      {
        names: 'do_file_page',
        documents: '4',
        scenario: 'as do_no_page, which it falls back to',
        simulated: 'random programs with remap_file_pages and 2.6.6 faults: `mm/test/remap-file-pages.test.ts`',
      },
      { names: 'put_dirty_page', documents: '4', at: ['arg-pages.ts#setupArgPages'] },
      {
        names: 'unuse_pte',
        documents: '4',
        simulated: 'random programs of `mm` with swapoff: `mm/test/swap-simulated.test.ts`',
      },
      { names: 'free_pages_check', documents: '4' },
    ],
  },
  ...mappings,
];
