/* The search of the theme runs in a worker, which browsers refuse to pages opened from a folder. There a hidden frame does its work. */
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      this.waiting = [];
      const frame = document.createElement("iframe");
      frame.hidden = true;
      document.body.appendChild(frame);
      this.scope = frame.contentWindow;
      this.scope.__answer = (data) => this.answer(data);
      const page = this.scope.document;
      page.open();
      page.write("<!doctype html><script>postMessage = __answer;</script>");
      page.close();
      const script = page.createElement("script");
      script.src = url;
      script.onload = () => this.ready();
      page.head.appendChild(script);
    }
    answer(data) {
      const event = new MessageEvent("message", { data });
      this.dispatchEvent(event);
      if (this.onmessage) this.onmessage(event);
    }
    ready() {
      const waiting = this.waiting;
      this.waiting = null;
      waiting.forEach((data) => this.postMessage(data));
    }
    postMessage(data) {
      if (this.waiting) this.waiting.push(data);
      else this.scope.dispatchEvent(new this.scope.MessageEvent("message", { data }));
    }
    terminate() {}
  };
}
