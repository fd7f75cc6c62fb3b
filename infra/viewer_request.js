// What CloudFront runs on every viewer request before anything else: a CloudFront Function, JavaScript runtime 2.0.
// The stack writes the name of the origin in place of the constant below.
import cf from "cloudfront";

const ORIGIN_HOST = "{{ORIGIN_HOST}}";

// What only CloudFront and the functions tell each other; of a viewer it would be a lie.
const INTERNAL = /^x-(?:middleware|nextjs|packager)-/;
const VIEWER = "cloudfront-viewer-";
const ORDER = "cloudfront-viewer-header-order";
// Set for every request, whatever the viewer sent.
const ADDRESS = "cloudfront-viewer-address";
// CloudFront cuts the list of names at 7,680 characters.
const WHOLE = 7000;

function handler(event) {
  const request = event.request;
  const headers = request.headers;
  const forged = forgery(headers);
  Object.keys(headers).forEach(function (name) {
    if (INTERNAL.test(name) || (name.startsWith("cloudfront-") && forged(name))) delete headers[name];
  });
  headers["x-packager-path"] = { value: request.uri };
  if (headers.host) headers["x-packager-host"] = { value: headers.host.value };
  cf.updateRequestOrigin({ hostHeader: ORIGIN_HOST });
  return request;
}

// Tells whether a header in CloudFront's name may come from the viewer. CloudFront leaves out what it does not know
// (a city, a region) and does not say that it removes what the viewer sent in its place; but it lists the names of all
// headers that the viewer sent. Where that list may be cut, or is missing, only the address is sure.
function forgery(headers) {
  const order = headers[ORDER] ? headers[ORDER].value.toLowerCase() : "";
  const sent = order.split(":");
  const known = order !== "" && order.length < WHOLE;
  return function (name) {
    if (name === ADDRESS) return false;
    return !name.startsWith(VIEWER) || name === ORDER || !known || sent.indexOf(name) >= 0;
  };
}
