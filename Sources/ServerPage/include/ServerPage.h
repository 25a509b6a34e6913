// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

#ifndef SERVER_PAGE_H
#define SERVER_PAGE_H

#include <stddef.h>

// A text of the page, without a terminating zero. It lives as long as the program.
struct server_page_text {
  const unsigned char *bytes;
  size_t length;
};

// The markup. Style and script go to the places @STYLE@ and @SCRIPT@; each @NONCE@ becomes the nonce in the response's headers.
struct server_page_text server_page_markup(void);
struct server_page_text server_page_style(void);
struct server_page_text server_page_script(void);

#endif
