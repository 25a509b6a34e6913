// SPDX-License-Identifier: Apache-2.0 WITH Swift-exception

#include "ServerPage.h"

// `#embed` came with C23; clang has it in C17 too.
#pragma clang diagnostic ignored "-Wc23-extensions"

static const unsigned char markup[] = {
#embed "page.html"
};

static const unsigned char style[] = {
#embed "page.css"
};

// The order matters: each script uses declarations of those before it.
static const unsigned char script[] = {
#embed "markdown.js"
    ,
#embed "store.js"
    ,
#embed "stream.js"
    ,
#embed "chat.js"
    ,
#embed "server.js"
    ,
#embed "page.js"
};

struct server_page_text server_page_markup(void) { return (struct server_page_text){markup, sizeof markup}; }

struct server_page_text server_page_style(void) { return (struct server_page_text){style, sizeof style}; }

struct server_page_text server_page_script(void) { return (struct server_page_text){script, sizeof script}; }
