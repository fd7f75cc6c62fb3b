"""A catch-all segment: `/api/products/strings/violin` gives `["strings", "violin"]`."""

import os

from runtimes import Request

runtime = "edge"
revalidate = 60


async def GET(request: Request, params: dict):
    *categories, product = params["slug"]
    return {"shop": os.environ["SHOP_NAME"], "categories": categories, "product": product}
