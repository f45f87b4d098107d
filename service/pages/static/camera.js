// Takes a picture: with the camera of a computer in a dialog, with that of a phone as it does.

import { byId } from "./elements.js";

/** Calls `taken(file)` with a picture; `failed(error)` where the camera cannot be used. */
export function takePicture(taken, failed) {
  if (navigator.mediaDevices?.getUserMedia) withDialog(taken, failed);
  else withFile(taken); // over plain HTTP browsers give no camera, but phones have this way
}

function withFile(taken) {
  const field = document.createElement("input");
  Object.assign(field, { type: "file", accept: "image/*", capture: "environment" });
  field.addEventListener("change", () => field.files[0] && taken(field.files[0]));
  field.click();
}

async function withDialog(taken, failed) {
  const [dialog, video] = [byId("viewfinder"), byId("video")];
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  } catch {
    return failed(new Error("The camera cannot be used: allow it in the browser, or choose a picture."));
  }
  video.srcObject = stream;
  dialog.showModal();
  byId("shoot").onclick = () => {
    const frame = document.createElement("canvas");
    [frame.width, frame.height] = [video.videoWidth, video.videoHeight];
    frame.getContext("2d").drawImage(video, 0, 0);
    frame.toBlob((blob) => taken(new File([blob], "camera.png", { type: "image/png" })));
    dialog.close();
  };
  byId("stop-camera").onclick = () => dialog.close();
  dialog.addEventListener("close", () => stream.getTracks().forEach((track) => track.stop()), { once: true });
}
