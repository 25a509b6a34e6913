// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

// From the 16-row layouts to what the kernels multiply: eight lines of bytes for 32 elements of 16 rows, and their scales.
//
// Written on plain vectors; an instruction set adds the look-up of 16 bytes in a table (line_lookup), the widening of bits to
// bytes (line_of_bits) and how it wants the integer scales of types that have one for 16 elements (sub_scale, make_sub_scale).
// Types are constants everywhere, so that each function leaves one type's operations.

// ---- quants ---------------------------------------------------------------------------------------------------------

INLINE line nibbles(line v, bool high) { return high ? v >> 4 : v & 15; }
INLINE v16c nibbles16(v16c v, bool high) { return high ? v >> 4 : v & 15; }

// The low nibbles of four lines, then the high ones.
INLINE line nibble_line(const uint8_t *p, int l) { return nibbles(line_load(p + l % 4 * 64), l >= 4); }

INLINE v16c iq4_table(void) {
  v16c table = *(const v16c_at *)iq4_values;
  return SIGNED_LINES ? table : table ^ 0x80;
}
INLINE v16c mxfp4_table(void) { return *(const v16c_at *)mxfp4_values + 12; }

// Line l (elements 4 l to 4 l + 3) of the 32 elements from 32 s on, s < 8.
// Bytes are unsigned and exceed the values by offset_of(type); with SIGNED_LINES those of wide types are signed.
INLINE line unpack_line(uint32_t type, block16 block, int s, int l) {
  const uint8_t *body = block.body;
  switch (type) {
    case CK_Q4_0: case CK_Q4_1: return nibble_line(body, l);
    case CK_Q5_0: case CK_Q5_1: return nibble_line(body + 64, l) | line_of_bits(body + 8 * l, 16);
    case CK_Q8_0: return SIGNED_LINES ? line_load(body + 64 * l) ^ 0x80 : line_load(body + 64 * l);
    case CK_Q2_K: return line_load(body + (8 * (s / 4) + l) * 64) >> (s % 4 * 2) & 3;
    case CK_Q3_K: {
      const line low = line_load(body + 512 + (8 * (s / 4) + l) * 64) >> (s % 4 * 2) & 3;
      const line bit = line_load(body + l * 64);
      return low | ((s < 2 ? bit << (2 - s) : bit >> (s - 2)) & 4);
    }
    case CK_Q4_K: return nibbles(line_load(body + (8 * (s / 2) + l) * 64), s % 2 == 1);
    case CK_Q5_K: {
      const line bit = line_load(body + l * 64);
      return nibbles(line_load(body + 512 + (8 * (s / 2) + l) * 64), s % 2 == 1) |
             ((s < 4 ? bit << (4 - s) : bit >> (s - 4)) & 16);
    }
    case CK_Q6_K: {
      const line low = nibbles(line_load(body + (16 * (s / 4) + 8 * (s % 2) + l) * 64), s % 4 >= 2);
      const line high = line_load(body + 2048 + (8 * (s / 4) + l) * 64);
      const int shift = s % 4 * 2;
      return low | ((shift < 4 ? high << (4 - shift) : high >> (shift - 4)) & 48);
    }
    case CK_IQ4_NL: return line_lookup(iq4_table(), nibble_line(body, l));
    case CK_IQ4_XS: return line_lookup(iq4_table(), nibble_line(body + 256 * s, l));
    default: return line_lookup(mxfp4_table(), nibble_line(body, l));  // MXFP4
  }
}

// ---- scales ---------------------------------------------------------------------------------------------------------

typedef struct {
  v16 scale;         // of the block; with sub scales, d
  sub_scale sub[2];  // of 16 elements each
  v16 min[2];        // with the sign it is added with; the second with sub scales only
} scales16;

INLINE v16 half_scale(const uint8_t *p) { return v_load_half((const uint16_t *)p); }

INLINE v16 e8m0_scale(const uint8_t *p) {
  const v16i e = widen(bytes_load(p));
  return v_float(e < 2 ? (v16i)(0x00200000) << e : (e - 1) << 23);
}

INLINE scales16 unpack_scales(uint32_t type, block16 block, int s) {
  const uint8_t *head = block.head;
  scales16 out = {};
  out.scale = type == CK_MXFP4 ? e8m0_scale(head) : half_scale(head);
  switch (type) {
    case CK_Q4_1: case CK_Q5_1: out.min[0] = half_scale(head + 32); break;
    case CK_Q2_K:
      for (int h = 0; h < 2; h++) {
        const v16c both = bytes_load(head + 64 + 16 * (2 * s + h));
        out.sub[h] = make_sub_scale(widen(both & 15));
        out.min[h] = -(half_scale(head + 32) * to_float(widen(both >> 4)));
      }
      break;
    case CK_Q3_K:
      for (int h = 0; h < 2; h++) {
        const int j = 2 * s + h;
        const v16c low = nibbles16(bytes_load(head + 32 + 16 * (j % 8)), j >= 8);
        const v16c high = bytes_load(head + 32 + 16 * (8 + j % 4)) >> (j / 4 * 2) & 3;
        out.sub[h] = make_sub_scale(widen(low | high << 4) - 32);
      }
      break;
    case CK_Q4_K: case CK_Q5_K: {
      const uint8_t *packed = head + 64;
      v16c scale, min;
      if (s < 4) {
        scale = bytes_load(packed + 16 * s) & 63;
        min = bytes_load(packed + 16 * (s + 4)) & 63;
      } else {
        const v16c both = bytes_load(packed + 16 * (s + 4));
        scale = (both & 15) | bytes_load(packed + 16 * (s - 4)) >> 6 << 4;
        min = both >> 4 | bytes_load(packed + 16 * s) >> 6 << 4;
      }
      out.scale = out.scale * to_float(widen(scale));
      out.min[0] = -(half_scale(head + 32) * to_float(widen(min)));
      break;
    }
    case CK_Q6_K:
      for (int h = 0; h < 2; h++) {
        out.sub[h] = make_sub_scale(__builtin_convertvector((v16b)bytes_load(head + 32 + 16 * (2 * s + h)), v16i));
      }
      break;
    case CK_IQ4_XS: {
      const v16c low = nibbles16(bytes_load(head + 64 + 16 * (s / 2)), s % 2 == 1);
      const v16i high = __builtin_convertvector(*(const v16h_at *)(head + 32), v16i) >> (2 * s) & 3;
      out.scale = out.scale * to_float((widen(low) | high << 4) - 32);
      break;
    }
  }
  return out;
}
