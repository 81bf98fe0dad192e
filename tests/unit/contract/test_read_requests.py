from voxgate.v1 import volume_pb2


def fields(message):
    return {field.number: (field.name, field.type, field.is_repeated) for field in message.DESCRIPTOR.fields}


def test_a_small_read_is_asked_for_in_the_words_of_a_large_one():
    # The SDK sends one request's bytes as the other's, and parses both answers alike.
    assert fields(volume_pb2.ReadChunkRequest) == fields(volume_pb2.ReadCutoutRequest)
    chunk, cutout = fields(volume_pb2.ReadChunkResponse), fields(volume_pb2.ReadCutoutResponse)
    assert {number: kind for number, (_, kind, _) in chunk.items()} == {1: 11, 2: 11}
    assert {number: cutout[number][1] for number in chunk} == {1: 11, 2: 11}
