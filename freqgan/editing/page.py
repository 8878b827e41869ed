"""The page of the editor: one component of Gradio's, which asks the editor and is told."""

import os
from pathlib import Path

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # it is read when gradio is imported

import gradio as gr
from fastapi import FastAPI
from gradio.themes import Base

from freqgan.editing.editor import Editor, Reply

_HERE = Path(__file__).parent
_FONTS = ["system-ui", "-apple-system", "Segoe UI", "sans-serif"]  # Gradio's own are fetched from elsewhere


def application(editor: Editor, title: str) -> tuple[FastAPI, int]:
    """The page and what it needs, as an ASGI application that has no doors but those of `freqgan.editing.gate`.

    Args:
        editor: that it asks.
        title: of the page.

    Returns:
        The application, and Gradio's number of the component.
    """

    def edit(request: dict[str, object]) -> Reply:
        return editor.answer(request)

    html, css, js = ((_HERE / f"page.{kind}").read_text(encoding="utf-8") for kind in ("html", "css", "js"))
    with gr.Blocks(title=title, analytics_enabled=False, fill_width=True) as blocks:
        component = gr.HTML(
            html_template=html,
            css_template=css,
            js_on_load=js,
            server_functions=[edit],
            apply_default_css=False,
            elem_id="editor",
        )
    app: FastAPI = gr.mount_gradio_app(
        FastAPI(docs_url=None, redoc_url=None, openapi_url=None),
        blocks,
        path="",
        server_name="127.0.0.1",
        footer_links=[],
        run_history=False,
        show_error=False,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        theme=Base(font=_FONTS, font_mono=["ui-monospace", "monospace"]),
    )
    return app, int(component._id)
