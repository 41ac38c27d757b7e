import protobuf from 'protobufjs';
import type { Weights } from './mlp.js';

/**
 * The part of ONNX's format that this model needs. Names and field numbers are those of `onnx/onnx.proto3` in
 * https://github.com/onnx/onnx (specification: docs/IR.md); unused fields are left out, which protobuf allows.
 */
const ONNX_PROTO = `
  syntax = "proto3";
  package onnx;
  message ModelProto {
    int64 ir_version = 1;
    string producer_name = 2;
    GraphProto graph = 7;
    repeated OperatorSetIdProto opset_import = 8;
  }
  message OperatorSetIdProto { string domain = 1; int64 version = 2; }
  message GraphProto {
    repeated NodeProto node = 1;
    string name = 2;
    repeated TensorProto initializer = 5;
    repeated ValueInfoProto input = 11;
    repeated ValueInfoProto output = 12;
  }
  message NodeProto {
    repeated string input = 1;
    repeated string output = 2;
    string name = 3;
    string op_type = 4;
  }
  message TensorProto {
    repeated int64 dims = 1;
    int32 data_type = 2;
    string name = 8;
    bytes raw_data = 9;
  }
  message ValueInfoProto { string name = 1; TypeProto type = 2; }
  message TypeProto {
    message Tensor { int32 elem_type = 1; TensorShapeProto shape = 2; }
    oneof value { Tensor tensor_type = 1; }
  }
  message TensorShapeProto {
    message Dimension { oneof value { int64 dim_value = 1; string dim_param = 2; } }
    repeated Dimension dim = 1;
  }
`;

const FLOAT = 1; // TensorProto.DataType
const IR_VERSION = 8;
/** Since 13, Softmax works along the last axis by default, and Gemm has its present form: no attribute is needed. */
const OPSET_VERSION = 13;

/** An ONNX file: `features` [batch, inputs] → Gemm → Relu → Gemm → Softmax → `probabilities` [batch, outputs]. */
export function exportOnnx(weights: Weights): Uint8Array {
  const { inputs, hidden, outputs, w1, b1, w2, b2 } = weights;
  const graph = {
    name: 'intents',
    node: [
      { name: 'hidden', op_type: 'Gemm', input: ['features', 'w1', 'b1'], output: ['sums'] },
      { name: 'relu', op_type: 'Relu', input: ['sums'], output: ['activations'] },
      { name: 'output', op_type: 'Gemm', input: ['activations', 'w2', 'b2'], output: ['scores'] },
      { name: 'softmax', op_type: 'Softmax', input: ['scores'], output: ['probabilities'] },
    ],
    initializer: [
      tensor('w1', [inputs, hidden], w1),
      tensor('b1', [hidden], b1),
      tensor('w2', [hidden, outputs], w2),
      tensor('b2', [outputs], b2),
    ],
    input: [batchOf('features', inputs)],
    output: [batchOf('probabilities', outputs)],
  };
  const model = {
    ir_version: IR_VERSION,
    producer_name: 'model-supervisor/examples/intents',
    graph,
    opset_import: [{ domain: '', version: OPSET_VERSION }],
  };
  const ModelProto = protobuf.parse(ONNX_PROTO, { keepCase: true }).root.lookupType('onnx.ModelProto');
  return ModelProto.encode(ModelProto.fromObject(model)).finish();
}

function tensor(name: string, dims: number[], values: Float32Array) {
  // The specification asks for little-endian, whatever the machine is.
  const raw = new DataView(new ArrayBuffer(values.length * 4));
  for (const [i, value] of values.entries()) raw.setFloat32(i * 4, value, true);
  return { name, dims, data_type: FLOAT, raw_data: new Uint8Array(raw.buffer) };
}

function batchOf(name: string, width: number) {
  const shape = { dim: [{ dim_param: 'batch' }, { dim_value: width }] };
  return { name, type: { tensor_type: { elem_type: FLOAT, shape } } };
}
