import type { Random } from '../core/random.js';
import type { Canvas } from './phantom-canvas.js';

// Axial slices are seen from the feet, as on a CT screen: the patient's right, with the liver, is on the left, the
// spine at the bottom. Coordinates are those of Canvas: -1 to 1, y down. Grays: air 0, lung 0.07, fat 0.25, soft tissue
// 0.42 to 0.55, contrast-filled vessels 0.7, bone 0.85 to 1.

export function drawHead(canvas: Canvas, random: Random): void {
  const radiusX = random.between(0.58, 0.68);
  const radiusY = random.between(0.74, 0.84);
  const skull = random.between(0.05, 0.09);
  const brain = random.between(0.4, 0.48);
  canvas.ellipse({ x: 0, y: 0, radiusX: radiusX + 0.05, radiusY: radiusY + 0.05 }, 0.3);
  canvas.shell({ x: 0, y: 0, radiusX, radiusY }, 0.97, skull, brain);
  paintBlobs(canvas, random, brain, radiusX * 0.75, radiusY * 0.75);
  const sulcus = random.between(0.2, 0.3);
  for (let i = 0; i < 18; i++) {
    const angle = (i / 18) * 2 * Math.PI + random.normal() * 0.08;
    const x = Math.cos(angle) * (radiusX - skull - 0.03);
    const y = Math.sin(angle) * (radiusY - skull - 0.03);
    const depth = random.between(0.72, 0.88);
    canvas.bar({ fromX: x, fromY: y, toX: x * depth, toY: y * depth, radius: 0.012 }, sulcus, 0.8);
  }
  canvas.bar({ fromX: 0, fromY: -radiusY + skull, toX: 0, toY: radiusY - skull, radius: 0.012 }, 0.6, 0.8);
  const ventricle = random.between(0.05, 0.12);
  const horn = random.between(0.18, 0.3);
  for (const side of [-1, 1]) {
    const angle = side * random.between(0.2, 0.4);
    canvas.ellipse({ x: side * 0.11, y: -0.12, radiusX: ventricle, radiusY: horn, angle }, 0.16);
    canvas.ellipse(
      { x: side * 0.17, y: 0.25, radiusX: ventricle * 0.8, radiusY: horn * 0.7, angle: -angle },
      0.18,
    );
    canvas.ellipse({ x: side * 0.27, y: 0.02, radiusX: 0.08, radiusY: 0.15, angle }, brain + 0.08, 0.7);
  }
  if (random.uniform() < 0.5) canvas.ellipse({ x: 0, y: 0.34, radiusX: 0.025, radiusY: 0.025 }, 0.95);
}

export function drawChest(canvas: Canvas, random: Random): void {
  const radiusX = random.between(0.86, 0.94);
  const radiusY = random.between(0.56, 0.66);
  canvas.ellipse({ x: 0, y: 0, radiusX, radiusY }, 0.27);
  canvas.ellipse({ x: 0, y: 0.01, radiusX: radiusX - 0.07, radiusY: radiusY - 0.07 }, 0.46);
  paintRibs(canvas, random, radiusX - 0.11, radiusY - 0.1, 7);
  const lungX = random.between(0.27, 0.32);
  const lungY = random.between(0.38, 0.45);
  for (const side of [-1, 1]) {
    const x = side * 0.43;
    const lung = { x, y: -0.01, radiusX: lungX, radiusY: lungY, angle: -side * random.between(0.1, 0.25) };
    canvas.ellipse(lung, random.between(0.05, 0.1));
    for (let i = 0; i < 16; i++) {
      const size = random.between(0.008, 0.024);
      const spread = { x: x + random.normal() * 0.11, y: random.normal() * 0.15 };
      canvas.ellipse({ ...spread, radiusX: size, radiusY: size * random.between(1, 2) }, 0.42, 0.9);
    }
  }
  const heart = random.between(0.2, 0.3);
  canvas.ellipse({ x: 0.12, y: -0.12, radiusX: heart, radiusY: heart * 0.85, angle: 0.6 }, 0.56);
  canvas.ellipse({ x: 0.17, y: -0.1, radiusX: heart * 0.5, radiusY: heart * 0.38, angle: 0.6 }, 0.68, 0.8);
  canvas.ellipse({ x: -0.04, y: -0.24, radiusX: 0.085, radiusY: 0.085 }, 0.7);
  canvas.ellipse({ x: 0.11, y: 0.23, radiusX: 0.065, radiusY: 0.065 }, 0.7);
  canvas.ellipse({ x: 0, y: 0.1, radiusX: 0.035, radiusY: 0.045 }, 0.03);
  paintVertebra(canvas, 0.36, random.between(0.11, 0.14));
  canvas.bar({ fromX: -0.09, fromY: -radiusY + 0.13, toX: 0.09, toY: -radiusY + 0.13, radius: 0.035 }, 0.9);
}

export function drawAbdomen(canvas: Canvas, random: Random): void {
  const radiusX = random.between(0.82, 0.93);
  const radiusY = random.between(0.62, 0.74);
  const fat = random.between(0.05, 0.13);
  canvas.ellipse({ x: 0, y: 0, radiusX, radiusY }, 0.27);
  canvas.ellipse({ x: 0, y: 0.01, radiusX: radiusX - fat, radiusY: radiusY - fat }, 0.44);
  canvas.ellipse({ x: 0, y: -0.02, radiusX: radiusX - fat - 0.06, radiusY: radiusY - fat - 0.06 }, 0.3);
  const liver = random.between(0.3, 0.38);
  canvas.ellipse({ x: -0.36, y: -0.1, radiusX: liver, radiusY: liver * 1.05, angle: 0.3 }, 0.56);
  canvas.ellipse({ x: -0.02, y: -0.28, radiusX: 0.26, radiusY: 0.14, angle: -0.15 }, 0.56);
  for (let i = 0; i < 7; i++) {
    const spot = { x: -0.38 + random.normal() * 0.12, y: -0.1 + random.normal() * 0.14 };
    canvas.ellipse({ ...spot, radiusX: 0.025, radiusY: 0.012, angle: random.between(0, 3) }, 0.68, 0.8);
  }
  canvas.ellipse({ x: 0.56, y: 0.06, radiusX: 0.13, radiusY: random.between(0.18, 0.26), angle: 0.2 }, 0.59);
  const stomach = { x: 0.33, y: -0.26, radiusX: random.between(0.17, 0.25), radiusY: 0.15, angle: -0.3 };
  canvas.ellipse(stomach, 0.45);
  canvas.ellipse({ ...stomach, y: -0.33, radiusX: stomach.radiusX * 0.7, radiusY: 0.06 }, 0.02);
  paintKidneys(canvas, random);
  for (let i = 0; i < 7; i++) {
    const size = random.between(0.045, 0.085);
    const loop = { x: 0.2 + random.normal() * 0.16, y: -0.02 + random.normal() * 0.1 };
    canvas.shell({ ...loop, radiusX: size, radiusY: size }, 0.5, 0.02, random.uniform() < 0.3 ? 0.04 : 0.42);
  }
  canvas.ellipse({ x: 0.05, y: 0.17, radiusX: 0.06, radiusY: 0.06 }, 0.75);
  canvas.ellipse({ x: -0.1, y: 0.17, radiusX: 0.065, radiusY: 0.045 }, 0.64);
  paintVertebra(canvas, 0.33, random.between(0.13, 0.16));
}

export function drawPelvis(canvas: Canvas, random: Random): void {
  const radiusX = random.between(0.88, 0.95);
  const radiusY = random.between(0.54, 0.64);
  canvas.ellipse({ x: 0, y: 0, radiusX, radiusY }, 0.26);
  canvas.ellipse({ x: 0, y: 0, radiusX: radiusX - 0.1, radiusY: radiusY - 0.12 }, 0.3);
  const muscle = random.between(0.44, 0.52);
  const headRadius = random.between(0.13, 0.16);
  for (const side of [-1, 1]) {
    canvas.ellipse({ x: side * 0.46, y: 0.32, radiusX: 0.3, radiusY: 0.15, angle: -side * 0.35 }, muscle);
    canvas.ellipse({ x: side * 0.42, y: -0.28, radiusX: 0.2, radiusY: 0.13, angle: side * 0.4 }, muscle);
    canvas.ellipse({ x: side * 0.74, y: 0, radiusX: 0.09, radiusY: 0.24 }, muscle);
    const socket = { fromX: side * 0.32, fromY: -0.22, toX: side * 0.34, toY: 0.22, radius: 0.075 };
    canvas.bone(socket, 0.95, 0.68);
    const femur = {
      x: side * 0.53,
      y: random.between(-0.03, 0.03),
      radiusX: headRadius,
      radiusY: headRadius,
    };
    canvas.shell(femur, 0.97, 0.04, 0.76);
    canvas.bone({ fromX: side * 0.66, fromY: 0.06, toX: side * 0.78, toY: 0.1, radius: 0.07 }, 0.95, 0.7);
  }
  const bladder = random.between(0.13, 0.22);
  canvas.ellipse({ x: 0, y: -0.17, radiusX: bladder * 1.15, radiusY: bladder }, random.between(0.36, 0.7));
  canvas.ellipse({ x: 0, y: 0.13, radiusX: 0.16, radiusY: 0.1 }, muscle + 0.04);
  canvas.shell(
    { x: 0.02, y: 0.29, radiusX: 0.09, radiusY: 0.08 },
    0.5,
    0.03,
    random.uniform() < 0.5 ? 0.03 : 0.38,
  );
  canvas.bone({ fromX: -0.09, fromY: 0.45, toX: 0.09, toY: 0.45, radius: 0.055 }, 0.92, 0.66);
}

export function drawHand(canvas: Canvas, random: Random): void {
  const flesh = random.between(0.26, 0.36);
  const rim = random.between(0.8, 0.95);
  const marrow = random.between(0.55, 0.68);
  const spread = random.between(0.7, 1.35);
  const thickness = random.between(0.85, 1.15);
  const wrist = { x: 0, y: 0.56 };
  canvas.bar({ fromX: 0, fromY: 0.5, toX: 0, toY: 1.2, radius: 0.27 }, flesh);
  canvas.ellipse({ x: 0.01, y: 0.27, radiusX: 0.42, radiusY: 0.38 }, flesh);
  const fingers = [
    { turn: -0.85, knuckle: 0.45, length: 0.52, radius: 0.105 },
    { turn: -0.3, knuckle: 0.62, length: 0.68, radius: 0.095 },
    { turn: -0.04, knuckle: 0.64, length: 0.76, radius: 0.098 },
    { turn: 0.2, knuckle: 0.6, length: 0.68, radius: 0.09 },
    { turn: 0.44, knuckle: 0.56, length: 0.52, radius: 0.08 },
  ].map((finger) => ({ ...finger, turn: finger.turn * spread + random.normal() * 0.04 }));
  const at = (turn: number, distance: number) => ({
    x: wrist.x + Math.sin(turn) * distance,
    y: wrist.y - Math.cos(turn) * distance,
  });
  for (const { turn, knuckle, length, radius } of fingers) {
    const tip = at(turn, knuckle + length);
    const base = at(turn, knuckle * 0.5);
    canvas.bar({ fromX: base.x, fromY: base.y, toX: tip.x, toY: tip.y, radius: radius * thickness }, flesh);
  }
  for (const { turn, knuckle, length, radius } of fingers) {
    const joints = [0.16, knuckle, knuckle + length * 0.45, knuckle + length * 0.74, knuckle + length * 0.97];
    for (let i = 0; i + 1 < joints.length; i++) {
      const from = at(turn, (joints[i] as number) + 0.035);
      const to = at(turn, (joints[i + 1] as number) - 0.035);
      const boneRadius = radius * thickness * (0.55 - i * 0.05);
      canvas.bone(
        { fromX: from.x, fromY: from.y, toX: to.x, toY: to.y, radius: boneRadius, waist: 0.35 },
        rim,
        marrow,
      );
    }
  }
  for (let i = 0; i < 8; i++) {
    const carpal = { x: -0.14 + (i % 4) * 0.095, y: 0.5 + Math.floor(i / 4) * 0.1 };
    canvas.shell({ ...carpal, radiusX: 0.055, radiusY: 0.05 }, rim, 0.015, marrow);
  }
  canvas.bone({ fromX: -0.09, fromY: 0.76, toX: -0.08, toY: 1.3, radius: 0.1 }, rim, marrow);
  canvas.bone({ fromX: 0.14, fromY: 0.75, toX: 0.12, toY: 1.3, radius: 0.07 }, rim, marrow);
}

export function drawKnee(canvas: Canvas, random: Random): void {
  const flesh = random.between(0.3, 0.4);
  const rim = random.between(0.82, 0.95);
  const marrow = random.between(0.6, 0.72);
  const width = random.between(0.9, 1.12);
  const gap = random.between(0.02, 0.05);
  canvas.bar({ fromX: 0, fromY: -1.5, toX: 0, toY: 0, radius: 0.56 * width }, flesh);
  canvas.bar({ fromX: 0, fromY: 0, toX: 0.02, toY: 1.5, radius: 0.47 * width }, flesh);
  canvas.bone(
    { fromX: 0.3 * width, fromY: 0.3, toX: 0.33 * width, toY: 1.5, radius: 0.075 },
    rim - 0.08,
    marrow,
  );
  canvas.bone({ fromX: 0, fromY: -1.5, toX: 0, toY: -0.3, radius: 0.19 * width }, rim, marrow - 0.12);
  canvas.bone({ fromX: 0, fromY: 0.3, toX: 0.01, toY: 1.5, radius: 0.17 * width }, rim, marrow - 0.12);
  for (const side of [-1, 1]) {
    canvas.ellipse({ x: side * 0.19 * width, y: -0.19 - gap, radiusX: 0.2 * width, radiusY: 0.19 }, rim);
    canvas.ellipse({ x: side * 0.19 * width, y: 0.17 + gap, radiusX: 0.2 * width, radiusY: 0.16 }, rim);
  }
  for (const side of [-1, 1]) {
    canvas.ellipse({ x: side * 0.18 * width, y: -0.21 - gap, radiusX: 0.17 * width, radiusY: 0.17 }, marrow);
    canvas.ellipse({ x: side * 0.18 * width, y: 0.19 + gap, radiusX: 0.17 * width, radiusY: 0.14 }, marrow);
  }
  canvas.ellipse({ x: 0, y: -0.3, radiusX: 0.2 * width, radiusY: 0.16 }, marrow);
  canvas.ellipse({ x: 0, y: 0.31, radiusX: 0.22 * width, radiusY: 0.14 }, marrow);
  const patella = {
    x: random.normal() * 0.03,
    y: -0.3 + random.normal() * 0.05,
    radiusX: 0.14,
    radiusY: 0.15,
  };
  canvas.ellipse(patella, Math.min(1, marrow + 0.15), 0.8);
}

/** Texture: faint ellipses around the middle, as far out as `reachX` and `reachY`. */
function paintBlobs(canvas: Canvas, random: Random, gray: number, reachX: number, reachY: number): void {
  for (let i = 0; i < 26; i++) {
    const angle = random.between(0, 2 * Math.PI);
    const distance = Math.sqrt(random.uniform());
    const size = random.between(0.04, 0.1);
    const at = { x: Math.cos(angle) * distance * reachX, y: Math.sin(angle) * distance * reachY };
    canvas.ellipse({ ...at, radiusX: size, radiusY: size * 0.7, angle }, gray + random.normal() * 0.05, 0.6);
  }
}

function paintRibs(canvas: Canvas, random: Random, radiusX: number, radiusY: number, count: number): void {
  for (const side of [-1, 1]) {
    for (let i = 0; i < count; i++) {
      const angle = -1.15 + (2.3 * i) / (count - 1) + random.normal() * 0.06;
      const rib = { x: side * Math.cos(angle) * radiusX, y: Math.sin(angle) * radiusY };
      canvas.ellipse({ ...rib, radiusX: 0.028, radiusY: 0.07, angle: side * angle }, 0.9);
    }
  }
}

function paintVertebra(canvas: Canvas, y: number, radius: number): void {
  for (const side of [-1, 1]) {
    const process = {
      fromX: 0,
      fromY: y + radius,
      toX: side * radius * 2,
      toY: y + radius * 1.2,
      radius: 0.03,
    };
    canvas.bar(process, 0.86);
  }
  canvas.shell({ x: 0, y, radiusX: radius, radiusY: radius * 0.8 }, 0.95, 0.025, 0.74);
  canvas.shell(
    { x: 0, y: y + radius * 1.15, radiusX: radius * 0.55, radiusY: radius * 0.5 },
    0.9,
    0.025,
    0.38,
  );
  canvas.bar({ fromX: 0, fromY: y + radius * 1.7, toX: 0, toY: y + radius * 2, radius: 0.025 }, 0.9);
}

function paintKidneys(canvas: Canvas, random: Random): void {
  const gray = random.between(0.66, 0.78);
  for (const side of [-1, 1]) {
    const kidney = { x: side * random.between(0.36, 0.42), y: 0.25, angle: -side * 0.5 };
    canvas.ellipse(
      { ...kidney, radiusX: random.between(0.1, 0.13), radiusY: random.between(0.13, 0.17) },
      gray,
    );
    canvas.ellipse({ ...kidney, x: kidney.x - side * 0.06, radiusX: 0.05, radiusY: 0.05 }, 0.4);
  }
}
