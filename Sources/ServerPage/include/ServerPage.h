// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

#ifndef SERVER_PAGE_H
#define SERVER_PAGE_H

#include <stddef.h>

// A text of the page, with no zero at its end. It lives as long as the program.
struct server_page_text {
  const unsigned char *bytes;
  size_t length;
};

// The markup. Its places @STYLE@ and @SCRIPT@ are for the other two, and each @NONCE@ for the nonce of the answer's headers.
struct server_page_text server_page_markup(void);
struct server_page_text server_page_style(void);
struct server_page_text server_page_script(void);

#endif
