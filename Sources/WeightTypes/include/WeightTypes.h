// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// The weight types, one row each. Names, numbers and block sizes are ggml's (`ggml.h`, `ggml-common.h`); those from number 133 on come from
// its fork in ik_llama.cpp.
//
// Everything that lists weight types is made from these rows: the enum, Swift's `WeightType` and `InterleavedForm`, and the kernels'
// layouts, tables and dispatch. A row without its kernels does not compile; docs/KERNELS.md says which functions a type needs.
#ifndef WEIGHTTYPES_H
#define WEIGHTTYPES_H

#include <stdbool.h>
#include <stdint.h>

// ---- kinds of lines ---------------------------------------------------------------------------------------------------------
//
// A 16-row kernel unpacks a weight to lines of bytes (docs/KERNELS.md). Types with equal facts about their lines form a kind, and are
// multiplied by the same functions. KIND(kind, greatest, offset, mins, sub_scales, wide):
//
//   greatest    the greatest unsigned byte of a line
//   offset      by how much bytes exceed the values; an even number if there are sub-scales
//   mins        whether a min is added for every 32 elements (16 with sub-scales)
//   sub_scales  1: every 16 elements have an integer scale; 2: the same, with so many bits that sums need more than a float's 24;
//               3: every 16 elements have a float as their scale
//   wide        whether an instruction set may use signed bytes instead, with an offset of 0, and multiply them as such
#define WEIGHT_LINE_KINDS(KIND)              \
  KIND(BITS_2, 3, 1, 0, 0, 0)                \
  KIND(BITS_2_SCALES_MINS, 3, 0, 1, 1, 0)    \
  KIND(BITS_3_SCALES, 7, 4, 0, 1, 0)         \
  KIND(BITS_4, 15, 8, 0, 0, 0)               \
  KIND(BITS_4_MINS, 15, 0, 1, 0, 0)          \
  KIND(BITS_5, 31, 16, 0, 0, 0)              \
  KIND(BITS_5_MINS, 31, 0, 1, 0, 0)          \
  KIND(BITS_5_SCALES, 31, 16, 0, 1, 0)       \
  KIND(BITS_5_FLOATS, 31, 16, 0, 3, 0)       \
  KIND(BITS_6, 63, 32, 0, 0, 0)              \
  KIND(BITS_6_SCALES, 63, 32, 0, 1, 0)       \
  KIND(BITS_7, 126, 64, 0, 0, 1)             \
  KIND(BITS_7_SCALES, 126, 64, 0, 1, 1)      \
  KIND(BITS_8, 255, 128, 0, 0, 1)            \
  KIND(BITS_8_SCALES, 255, 128, 0, 1, 1)     \
  KIND(BITS_8_BYTES, 255, 128, 0, 2, 1)

// ---- types ------------------------------------------------------------------------------------------------------------------
//
// Rows in ascending order of their numbers, by how a type can be arranged:
//
//   PLAIN(name, number, elements, bytes, row_header)
//     has layout `gguf` only: `elements` elements take `bytes` bytes; the blocks of a row follow `row_header` bytes
//   FLOATS(name, number, elements, bytes, row_header, since, tile_blocks, head, body)
//     has layout `r16k1` too, since layout version `since`: its 16-row form has tiles of `tile_blocks` blocks, each with a head and a
//     body made of fields
//   LINES(name, number, elements, bytes, row_header, since, tile_blocks, head, body, kind)
//     has layout `r16k4` too, and is multiplied as that kind of lines
//   GRIDS(…), with the same arguments
//     like LINES, for types whose quants are looked up once for 32 elements: points of a grid, numbers of a table that a bit of the
//     head chooses, or numbers of a generator
//   GROUPED(name, number, elements, bytes, row_header, since, base, rows)
//     is type `base` with the blocks of `rows` rows interleaved after the headers of these rows, which permutes the bits of its rows;
//     it has the 16-row form of its base, since layout version `since`
//
// A head or body is a list of at most four WT_FIELD(offset, bytes, unit_bits) or WT_FLIPPED(…, flip), which docs/FORMAT.md draws. A field
// is bytes of the block, divided into units that are interleaved with those of 15 other rows; every byte is exclusive-ored with `flip`.
#define WEIGHT_TYPES(PLAIN, FLOATS, LINES, GRIDS, GROUPED)                                                                      \
  PLAIN(F32, 0, 1, 4, 0)                                                                                                        \
  FLOATS(F16, 1, 1, 2, 0, 1, 2, WT_FIELDS(), WT_FIELDS(WT_FIELD(0, 2, 16)))                                                     \
  LINES(Q4_0, 2, 32, 18, 0, 1, 2, WT_FIELDS(WT_FIELD(0, 2, 16)), WT_FIELDS(WT_FIELD(2, 16, 32)), BITS_4)                        \
  LINES(Q4_1, 3, 32, 20, 0, 1, 1, WT_FIELDS(WT_FIELD(0, 2, 16), WT_FIELD(2, 2, 16)),                                            \
        WT_FIELDS(WT_FIELD(4, 16, 32)), BITS_4_MINS)                                                                            \
  LINES(Q5_0, 6, 32, 22, 0, 1, 2, WT_FIELDS(WT_FIELD(0, 2, 16)), WT_FIELDS(WT_FIELD(2, 4, 4), WT_FIELD(6, 16, 32)), BITS_5)     \
  LINES(Q5_1, 7, 32, 24, 0, 1, 1, WT_FIELDS(WT_FIELD(0, 2, 16), WT_FIELD(2, 2, 16)),                                            \
        WT_FIELDS(WT_FIELD(4, 4, 4), WT_FIELD(8, 16, 32)), BITS_5_MINS)                                                         \
  LINES(Q8_0, 8, 32, 34, 0, 1, 2, WT_FIELDS(WT_FIELD(0, 2, 16)), WT_FIELDS(WT_FLIPPED(2, 32, 32, 0x80)), BITS_8)                \
  LINES(Q2_K, 10, 256, 84, 0, 1, 1, WT_FIELDS(WT_FIELD(80, 2, 16), WT_FIELD(82, 2, 16), WT_FIELD(0, 16, 8)),                    \
        WT_FIELDS(WT_FIELD(16, 64, 32)), BITS_2_SCALES_MINS)                                                                    \
  LINES(Q3_K, 11, 256, 110, 0, 1, 2, WT_FIELDS(WT_FIELD(108, 2, 16), WT_FIELD(96, 12, 8)),                                      \
        WT_FIELDS(WT_FIELD(0, 32, 32), WT_FIELD(32, 64, 32)), BITS_3_SCALES)                                                    \
  LINES(Q4_K, 12, 256, 144, 0, 1, 1, WT_FIELDS(WT_FIELD(0, 2, 16), WT_FIELD(2, 2, 16), WT_FIELD(4, 12, 8)),                     \
        WT_FIELDS(WT_FIELD(16, 128, 32)), BITS_4_MINS)                                                                          \
  LINES(Q5_K, 13, 256, 176, 0, 1, 1, WT_FIELDS(WT_FIELD(0, 2, 16), WT_FIELD(2, 2, 16), WT_FIELD(4, 12, 8)),                     \
        WT_FIELDS(WT_FIELD(16, 32, 32), WT_FIELD(48, 128, 32)), BITS_5_MINS)                                                    \
  LINES(Q6_K, 14, 256, 210, 0, 1, 2, WT_FIELDS(WT_FIELD(208, 2, 16), WT_FIELD(192, 16, 8)),                                     \
        WT_FIELDS(WT_FIELD(0, 128, 32), WT_FIELD(128, 64, 32)), BITS_6_SCALES)                                                  \
  GRIDS(IQ2_XXS, 16, 256, 66, 0, 2, 2, WT_FIELDS(WT_FIELD(0, 2, 16)), WT_FIELDS(WT_FIELD(2, 64, 32)), BITS_7)                     \
  GRIDS(IQ2_XS, 17, 256, 74, 0, 2, 2, WT_FIELDS(WT_FIELD(0, 2, 16), WT_FIELD(66, 8, 8)),                                        \
        WT_FIELDS(WT_FIELD(2, 64, 32)), BITS_7_SCALES)                                                                            \
  GRIDS(IQ3_XXS, 18, 256, 98, 0, 2, 2, WT_FIELDS(WT_FIELD(0, 2, 16)), WT_FIELDS(WT_FIELD(2, 64, 32), WT_FIELD(66, 32, 32)), BITS_7)\
  GRIDS(IQ1_S, 19, 256, 50, 0, 2, 2, WT_FIELDS(WT_FIELD(0, 2, 16), WT_FIELD(34, 16, 16)), WT_FIELDS(WT_FIELD(2, 32, 32)), BITS_5)\
  LINES(IQ4_NL, 20, 32, 18, 0, 1, 2, WT_FIELDS(WT_FIELD(0, 2, 16)), WT_FIELDS(WT_FIELD(2, 16, 32)), BITS_8)                     \
  GRIDS(IQ3_S, 21, 256, 110, 0, 2, 2, WT_FIELDS(WT_FIELD(0, 2, 16), WT_FIELD(66, 8, 8), WT_FIELD(106, 4, 8)),                   \
        WT_FIELDS(WT_FIELD(2, 64, 32), WT_FIELD(74, 32, 32)), BITS_7)                                                             \
  GRIDS(IQ2_S, 22, 256, 82, 0, 2, 2, WT_FIELDS(WT_FIELD(0, 2, 16), WT_FIELD(66, 8, 8), WT_FIELD(74, 8, 8)),                     \
        WT_FIELDS(WT_FIELD(2, 32, 32), WT_FIELD(34, 32, 32)), BITS_7_SCALES)                                                      \
  LINES(IQ4_XS, 23, 256, 136, 0, 1, 1, WT_FIELDS(WT_FIELD(0, 2, 16), WT_FIELD(2, 2, 16), WT_FIELD(4, 4, 8)),                    \
        WT_FIELDS(WT_FIELD(8, 128, 32)), BITS_8)                                                                                \
  PLAIN(I8, 24, 1, 1, 0)                                                                                                        \
  PLAIN(I16, 25, 1, 2, 0)                                                                                                       \
  PLAIN(I32, 26, 1, 4, 0)                                                                                                       \
  PLAIN(I64, 27, 1, 8, 0)                                                                                                       \
  PLAIN(F64, 28, 1, 8, 0)                                                                                                       \
  GRIDS(IQ1_M, 29, 256, 56, 0, 2, 1, WT_FIELDS(WT_FIELD(48, 8, 16)),                                                            \
        WT_FIELDS(WT_FIELD(0, 32, 32), WT_FIELD(32, 16, 16)), BITS_5_SCALES)                                                    \
  FLOATS(BF16, 30, 1, 2, 0, 1, 2, WT_FIELDS(), WT_FIELDS(WT_FIELD(0, 2, 16)))                                                   \
  LINES(TQ1_0, 34, 256, 54, 0, 2, 2, WT_FIELDS(WT_FIELD(52, 2, 16)), WT_FIELDS(WT_FIELD(0, 52, 32)), BITS_2)                      \
  LINES(TQ2_0, 35, 256, 66, 0, 2, 2, WT_FIELDS(WT_FIELD(64, 2, 16)), WT_FIELDS(WT_FIELD(0, 64, 32)), BITS_2)                      \
  LINES(MXFP4, 39, 32, 17, 0, 1, 4, WT_FIELDS(WT_FIELD(0, 1, 8)), WT_FIELDS(WT_FIELD(1, 16, 32)), BITS_5)                       \
  LINES(NVFP4, 40, 64, 36, 0, 2, 1, WT_FIELDS(WT_FIELD(0, 4, 8)), WT_FIELDS(WT_FIELD(4, 32, 32)), BITS_5_FLOATS)                  \
  LINES(Q1_0, 41, 128, 18, 0, 2, 2, WT_FIELDS(WT_FIELD(0, 2, 16)), WT_FIELDS(WT_FIELD(2, 16, 4)), BITS_2)                         \
  LINES(Q2_0, 42, 64, 18, 0, 2, 2, WT_FIELDS(WT_FIELD(0, 2, 16)), WT_FIELDS(WT_FIELD(2, 16, 32)), BITS_2)                         \
  LINES(Q6_0, 133, 32, 26, 0, 2, 2, WT_FIELDS(WT_FIELD(0, 2, 16)),                                                              \
        WT_FIELDS(WT_FIELD(2, 8, 32), WT_FIELD(10, 16, 32)), BITS_6)                                                            \
  GRIDS(IQ2_K, 137, 256, 76, 0, 2, 1, WT_FIELDS(WT_FIELD(0, 2, 16), WT_FIELD(2, 2, 16), WT_FIELD(4, 8, 8)),                     \
        WT_FIELDS(WT_FIELD(12, 64, 32)), BITS_6_SCALES)                                                                         \
  GRIDS(IQ3_K, 138, 256, 110, 0, 2, 2, WT_FIELDS(WT_FIELD(0, 2, 16), WT_FIELD(2, 2, 16), WT_FIELD(4, 2, 16), WT_FIELD(6, 8, 8)),\
        WT_FIELDS(WT_FIELD(14, 64, 32), WT_FIELD(78, 32, 32)), BITS_7_SCALES)                                                   \
  GRIDS(IQ4_K, 139, 256, 144, 0, 2, 1, WT_FIELDS(WT_FIELD(0, 2, 16), WT_FIELD(2, 2, 16), WT_FIELD(4, 4, 8), WT_FIELD(8, 8, 8)), \
        WT_FIELDS(WT_FIELD(16, 128, 32)), BITS_8_SCALES)                                                                        \
  GRIDS(IQ5_K, 140, 256, 176, 0, 2, 1, WT_FIELDS(WT_FIELD(0, 2, 16), WT_FIELD(2, 2, 16), WT_FIELD(4, 4, 8), WT_FIELD(8, 8, 8)), \
        WT_FIELDS(WT_FIELD(16, 128, 32), WT_FIELD(144, 32, 32)), BITS_8_SCALES)                                                 \
  GRIDS(IQ6_K, 141, 256, 212, 0, 2, 1, WT_FIELDS(WT_FIELD(0, 2, 16), WT_FIELD(2, 2, 16), WT_FIELD(4, 16, 8)),                   \
        WT_FIELDS(WT_FIELD(20, 128, 32), WT_FIELD(148, 64, 32)), BITS_8_BYTES)                                                  \
  GRIDS(IQ4_KS, 144, 256, 136, 4, 2, 1, WT_FIELDS(WT_FIELD(0, 8, 8)), WT_FIELDS(WT_FIELD(8, 128, 32)), BITS_8)                  \
  GRIDS(IQ2_KS, 145, 256, 70, 2, 2, 2, WT_FIELDS(WT_FIELD(0, 2, 16), WT_FIELD(2, 4, 8)),                                        \
        WT_FIELDS(WT_FIELD(6, 64, 32)), BITS_6)                                                                                 \
  GRIDS(IQ4_KSS, 146, 256, 128, 4, 2, 1, WT_FIELDS(), WT_FIELDS(WT_FIELD(0, 128, 32)), BITS_8)                                  \
  GRIDS(IQ5_KS, 152, 256, 168, 4, 2, 1, WT_FIELDS(WT_FIELD(0, 8, 8)),                                                           \
        WT_FIELDS(WT_FIELD(8, 128, 32), WT_FIELD(136, 32, 32)), BITS_8)                                                         \
  GRIDS(IQ2_KT, 153, 256, 68, 4, 2, 1, WT_FIELDS(WT_FIELD(0, 4, 8)), WT_FIELDS(WT_FIELD(4, 64, 32)), BITS_8)                    \
  GRIDS(IQ3_KT, 154, 256, 100, 4, 2, 1, WT_FIELDS(WT_FIELD(0, 4, 8)),                                                           \
        WT_FIELDS(WT_FIELD(4, 64, 32), WT_FIELD(68, 32, 32)), BITS_8)                                                           \
  GRIDS(IQ4_KT, 155, 256, 128, 4, 2, 1, WT_FIELDS(WT_FIELD(0, 32, 32)),                                                         \
        WT_FIELDS(WT_FIELD(32, 64, 32), WT_FIELD(96, 32, 32)), BITS_8)                                                          \
  GRIDS(IQ3_KS, 156, 256, 102, 2, 2, 2, WT_FIELDS(WT_FIELD(0, 2, 16), WT_FIELD(2, 4, 8)),                                       \
        WT_FIELDS(WT_FIELD(6, 64, 32), WT_FIELD(70, 32, 32)), BITS_7)                                                           \
  GRIDS(IQ2_KL, 157, 256, 86, 2, 2, 2, WT_FIELDS(WT_FIELD(0, 2, 16), WT_FIELD(2, 4, 8)),                                        \
        WT_FIELDS(WT_FIELD(6, 64, 32), WT_FIELD(70, 16, 32)), BITS_7)                                                           \
  GRIDS(IQ1_KT, 158, 256, 56, 4, 2, 1, WT_FIELDS(WT_FIELD(0, 8, 8)),                                                            \
        WT_FIELDS(WT_FIELD(8, 32, 32), WT_FIELD(40, 16, 32)), BITS_8)                                                           \
  GROUPED(Q4_0_R8, 202, 32, 18, 0, 2, Q4_0, 8)                                                                                  \
  GROUPED(Q8_0_R8, 208, 32, 34, 0, 2, Q8_0, 8)                                                                                  \
  GROUPED(Q4_K_R4, 212, 256, 144, 0, 2, Q4_K, 4)                                                                                \
  GROUPED(IQ4_XS_R8, 223, 256, 136, 0, 2, IQ4_XS, 8)                                                                            \
  GROUPED(IQ2_K_R4, 337, 256, 76, 0, 2, IQ2_K, 4)                                                                               \
  GROUPED(IQ3_K_R4, 338, 256, 110, 0, 2, IQ3_K, 4)                                                                              \
  GROUPED(IQ4_K_R4, 339, 256, 144, 0, 2, IQ4_K, 4)                                                                              \
  GROUPED(IQ5_K_R4, 340, 256, 176, 0, 2, IQ5_K, 4)                                                                              \
  GROUPED(IQ4_KS_R4, 344, 256, 136, 4, 2, IQ4_KS, 4)                                                                            \
  GROUPED(IQ5_KS_R4, 352, 256, 168, 4, 2, IQ5_KS, 4)

// A macro for the rows that a list leaves out.
#define WT_NONE(...)

// ---- what the rows become ---------------------------------------------------------------------------------------------------

// The numbers of ggml and of ik_llama.cpp.
enum wt_type {
#define WT_ENUMERATOR(name, number, ...) WT_##name = number,
  WEIGHT_TYPES(WT_ENUMERATOR, WT_ENUMERATOR, WT_ENUMERATOR, WT_ENUMERATOR, WT_ENUMERATOR)
#undef WT_ENUMERATOR
  WT_COUNT  // one more than the greatest number
};

enum wt_kind {
  WT_KIND_NONE,
#define WT_ENUMERATOR(kind, ...) WT_KIND_##kind,
  WEIGHT_LINE_KINDS(WT_ENUMERATOR)
#undef WT_ENUMERATOR
};

enum wt_layout { WT_LAYOUT_GGUF, WT_LAYOUT_R16K1, WT_LAYOUT_R16K4 };

// A field of a block that the 16-row layouts interleave in units of 4, 8, 16 or 32 bits.
typedef struct {
  uint16_t offset, bytes;  // bytes == 0: there is no such field
  uint8_t unit_bits, flip;
} wt_field;

enum { WT_FIELDS_MAX = 4 };

// The facts about a type. If elements is 0, no type has that number.
typedef struct {
  uint16_t elements, bytes;  // of a block
  uint16_t row_header;       // bytes in front of a row
  uint16_t base;             // the type whose rows these are; its own number unless rows are interleaved
  uint8_t group_rows;        // rows whose blocks are interleaved; 1: none
  uint8_t layout;            // enum wt_layout: the layout of its 16-row form, or WT_LAYOUT_GGUF; here and below, those of `base` count
  uint8_t kind;              // enum wt_kind
  uint8_t since;             // the version of the layouts in which the type got its 16-row form
  uint8_t tile_blocks;       // of that form
  wt_field head[WT_FIELDS_MAX], body[WT_FIELDS_MAX];
} wt_facts;

// The facts by number. The table is constant in every file that includes it, so that compilers can fold it.
#define WT_FIELDS(...) {__VA_ARGS__}
#define WT_FIELD(offset, bytes, unit_bits) {offset, bytes, unit_bits, 0}
#define WT_FLIPPED(offset, bytes, unit_bits, flip) {offset, bytes, unit_bits, flip}
static const wt_facts wt_types[WT_COUNT] __attribute__((unused)) = {
#define WT_ROW_PLAIN(name, number, elements, bytes, header) \
  [number] = {elements, bytes, header, number, 1, WT_LAYOUT_GGUF, WT_KIND_NONE, 0, 0, {}, {}},
#define WT_ROW_FLOATS(name, number, elements, bytes, header, since, tile, head, body) \
  [number] = {elements, bytes, header, number, 1, WT_LAYOUT_R16K1, WT_KIND_NONE, since, tile, head, body},
#define WT_ROW_LINES(name, number, elements, bytes, header, since, tile, head, body, kind) \
  [number] = {elements, bytes, header, number, 1, WT_LAYOUT_R16K4, WT_KIND_##kind, since, tile, head, body},
#define WT_ROW_GROUPED(name, number, elements, bytes, header, since, base, rows) \
  [number] = {elements, bytes, header, WT_##base, rows, WT_LAYOUT_GGUF, WT_KIND_NONE, since, 0, {}, {}},
    WEIGHT_TYPES(WT_ROW_PLAIN, WT_ROW_FLOATS, WT_ROW_LINES, WT_ROW_LINES, WT_ROW_GROUPED)
#undef WT_ROW_PLAIN
#undef WT_ROW_FLOATS
#undef WT_ROW_LINES
#undef WT_ROW_GROUPED
};

// Returns the facts of a type whose number is only known at run time; elements is 0 for numbers without a type.
wt_facts wt_facts_of(uint32_t number);

// Return field `index` of the head and of the body; after the last field, one with bytes == 0.
wt_field wt_head_field(wt_facts facts, int index);
wt_field wt_body_field(wt_facts facts, int index);

// Returns the name as ggml writes it, or NULL if no type has that number.
const char *wt_name(uint32_t number);

#endif
